"""The service on the command line, as a cron job calls it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from sqlalchemy import update

from mercato.app.service import records
from mercato.app.service.access import HERE
from mercato.app.service.database import Database, of_folder
from tests.app.command_line import mercato, refused, result
from tests.app.service.shop import week

NEXT = "2023-05-09"


@pytest.fixture
def shop(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run, whose records are elsewhere and new."""
    monkeypatch.setenv("MERCATO_DATABASE", f"sqlite:///{tmp_path / 'service.sqlite'}")
    return run


def done(*arguments: object) -> str:
    """What a command that must succeed says."""
    outcome = mercato(*arguments)
    assert outcome.exit_code == 0, outcome.output
    return str(outcome.stdout or outcome.stderr)


def test_a_monday_by_cron(shop: Path, tmp_path: Path) -> None:
    week().to_csv(tmp_path / "week.csv", index=False)
    week().assign(day=lambda table: table["day"].astype("datetime64[s]")).to_parquet(
        tmp_path / "week.parquet"
    )
    assert "batch 1: 21 rows taken in, 0 in place of earlier ones" in done(
        "service", "sales", shop, tmp_path / "week.csv", "--as", "cron"
    )
    assert "had been taken in before" in done("service", "sales", shop, tmp_path / "week.csv")
    taken = result("service", "sales", shop, tmp_path / "week.parquet", "--key", "parquet", "--json")
    assert (taken["rows"], taken["replaced"]) == (21, 21)
    sheet = result("service", "propose", shop, "--date", NEXT, "--as", "ann", "--json")
    rows = result("service", "decisions", shop, "--status", "proposed", "--json")
    first, second, third = (row["id"] for row in rows)
    assert len(rows) == sheet["series"] == 3
    assert "mocha" in done("service", "decisions", shop)
    assert "1 released" in done("service", "approve", shop, first, "--as", "bob")
    done("service", "change", shop, second, "--price", 4.2, "--reason", "rounder", "--as", "bob")
    assert "1 rejected" in done("service", "reject", shop, third, "--reason", "no", "--as", "bob")
    assert "0 released" in done("service", "approve", shop, "--sheet", sheet["sheet"])
    told = result("service", "released", shop, "--json")
    read = list(csv.DictReader(io.StringIO(done("service", "released", shop, "--date", NEXT))))
    assert [(row["item"], row["price"], row["order"]) for row in read] == [
        (row["item"], str(row["price"]), str(row["order"])) for row in told
    ]
    assert "0 proposals withdrawn; 0 last approved prices released" in done(
        "service", "kill", shop, "--reason", "stop"
    )
    assert "0 last approved prices released" in done("service", "propose", shop)
    done("service", "resume", shop, "--reason", "mended")
    entries = [json.loads(line) for line in done("audit", "show", shop).splitlines()]
    actors = {entry["action"]: entry["actor"] for entry in entries}
    assert (actors["propose"], actors["approve"], actors["kill"]) == ("ann", "bob", "command line")
    found = result("audit", "verify", shop, "--json")
    assert (found["entries"], found["fault"]) == (len(entries), "")
    assert found["last"] in done("audit", "verify", shop)


def test_a_record_that_was_tampered_with_ends_in_one_line_and_a_status(shop: Path, tmp_path: Path) -> None:
    sheet = result("service", "propose", shop, "--json")
    done("service", "approve", shop, "--sheet", sheet["sheet"])
    database = Database(of_folder(tmp_path))
    with database.write() as connection:
        connection.execute(update(records.releases).values(price=0.01))
    database.close()
    outcome = mercato("audit", "verify", shop)
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    said = " ".join(outcome.stderr.split())
    assert said == (
        "error: the release of 2023-05-02, corner, espresso is not as it was told; 2 entries before it hold"
    )


def test_tokens_are_made_and_ended(shop: Path, tmp_path: Path) -> None:
    token = done("service", "token", shop, "ann", "--role", "approver").strip()
    assert len(token) >= 43
    assert "has had a token" in refused("service", "token", shop, "ann")
    assert "the token of ann has ended" in done("service", "token", shop, "ann", "--revoke")
    assert "expected the name of one that holds" in refused("service", "token", shop, "ann", "--revoke")
    assert token not in (tmp_path / "service.sqlite").read_bytes().decode("latin-1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("approve",), "expected numbers of decisions, or --sheet"),
        (("approve", 1, "--sheet", 1), "expected numbers of decisions, or --sheet"),
        (("approve", 10**30), "id: expected a whole number up to 2147483647"),
        (("approve", 7), "decision: expected the number of one that was proposed, found 7"),
        (("approve", "--sheet", 7), "sheet: expected the number"),
        (("change", 7, "--reason", "x"), "found 7"),
        (("reject", 7, "--reason", "\udcff"), "expected the number of one"),
        (("kill", "--reason", "\udcff"), "expected text, found '\\udcff'"),
        (("kill", "--reason", " "), "reason: expected why the kill switch is used"),
        (("resume", "--reason", "x"), "kill switch: expected it to be on"),
        (("released", "--date", "09.05.2023"), "date: expected a day such as 2024-01-31, found '09.05.2023'"),
        (("released", "--after", 10**30), "id: expected a whole number"),
        (("decisions", "--status", "gone"), "status: expected one of proposed"),
        (("propose", "--date", NEXT), "date: expected 2023-05-02"),
        (("propose", "--as", "x" * 201), "actor: expected at most 200 characters"),
        (("sales", "/nowhere/week.csv"), "/nowhere/week.csv"),
        (("token", "ann", "--role", "root"), "role: expected one of viewer, approver, admin"),
    ],
)
def test_what_is_wrong_is_one_line(shop: Path, arguments: tuple[object, ...], said: str) -> None:
    verb, *rest = arguments
    assert said in refused("service", verb, shop, *rest)


def test_other_machines_are_served_only_with_tokens(shop: Path) -> None:
    said = refused("serve", shop, "--host", "0.0.0.0", "--port", 0)
    assert "expected a token for an address that other machines reach (0.0.0.0), found none" in said


def test_a_market_alone_is_not_served(home: Path) -> None:
    assert "expected the folder of a run" in refused("service", "released", home / "market")


def test_nobody_is_called_as_this_machine_is(shop: Path) -> None:
    assert "name: expected another" in refused("service", "token", shop, HERE.name)
