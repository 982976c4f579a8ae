"""The local page without a browser: what reaches the disk, and that its numbers are those of the commands."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mercato.app.page import charts, form, policies, work
from mercato.app.page.home import Home, home_of
from mercato.app.page.jobs import Jobs
from mercato.app.report.evidence import sheets
from mercato.forecasters.errors import InputError
from tests.app.command_line import mercato, refused, result

SERIES = ("--location", "corner", "--item", "mocha")


@pytest.fixture(scope="module")
def run(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A run with a market and a policy."""
    folder = tmp_path_factory.mktemp("page") / "run"
    shutil.copytree(home / "market", folder / "market")
    (folder / "policies").mkdir()
    shutil.copy(home / "ppo.safetensors", folder / "policies")
    found = home_of(folder)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "name",
    ["../escaped", "/tmp/escaped", "a/b", "..", ".hidden", "", "a\\b", "nul\0", "x" * 61, "a\nb", "$(id)"],
)
def test_a_name_from_the_page_is_a_plain_file_name(run: Home, name: str) -> None:
    before = sorted(run.market.parent.parent.rglob("*"))
    with pytest.raises(InputError, match="scenario: expected a name of letters"):
        run.save(name, "cost: 1.05")
    assert sorted(run.market.parent.parent.rglob("*")) == before


def test_a_link_out_of_the_folder_is_not_followed(run: Home, tmp_path: Path) -> None:
    there = Home(run.market, tmp_path / "run")
    (tmp_path / "run" / "page").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    there.scenarios.symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match="found a way out"):
        there.save("mine", "cost: 1.05")
    assert list((tmp_path / "outside").iterdir()) == []


def test_yaml_from_the_page_has_a_size(run: Home) -> None:
    with pytest.raises(InputError, match="expected at most 64 KiB of YAML, found 65,537 bytes"):
        run.save("large", "#" * (2**16 + 1))
    assert run.save("large", "#" * 2**16).is_file()


def test_only_policies_that_are_offered_can_be_asked_for(run: Home) -> None:
    rules = ["static-price"]
    assert list(policies.choices(run, rules)) == ["usual", "ppo", "static-price"]
    found = policies.sources(run, rules, ["usual", "ppo", "static-price"])
    assert found == ["usual", run.policies()["ppo"], "static-price"]
    for asked in (["/etc/passwd"], ["usual", "cost-plus"], [str(run.policies()["ppo"])], []):
        with pytest.raises(InputError, match="policies: expected"):
            policies.sources(run, rules, asked)


def test_a_folder_without_a_market_is_refused(tmp_path: Path) -> None:
    assert "expected the folder of a run or of a market, found neither" in refused("ui", tmp_path)


def test_without_the_library_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nicegui", None)
    assert refused("ui").endswith("ui: expected NiceGUI, found none; pip install 'mercato[ui]'")


def test_the_page_itself_loads_nothing_heavy() -> None:
    code = (
        "import sys, mercato.app.page.server, mercato.app.report.contents;"
        "print([m for m in ('torch', 'pandas', 'matplotlib', 'nicegui') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_the_scenario_it_plays_is_that_of_the_command(run: Home) -> None:
    file = run.save(
        "mine", "episodes: 2\nhorizon: 4\nprice: {multiplier: 0.9, items: mocha}\ncost: [1.05, 1.1]\n"
    )
    found = work.whatif(run.market, file, ["usual", run.policies()["ppo"]], 3, run.answer(file))
    assert run.answers() == found
    files = f"usual,{run.policies()['ppo']}"
    assert json.loads(json.dumps(found)) == result(
        "whatif", run.market, file, "--policies", files, "--seed", 3, "--json"
    )


def test_a_mistake_in_a_scenario_is_said_with_its_line(run: Home) -> None:
    file = run.save("wrong", "horizon: 4\ncost:\n  multplier: 2\n")
    with pytest.raises(InputError, match=r"line 3: cost.multplier: no such field \(did you mean multiplier"):
        work.whatif(run.market, file, ["usual"], 0, run.answer(file))


@pytest.mark.parametrize("policy", ["/etc/passwd", "../ppo.safetensors", "ppo.safetensors"])
def test_a_competitor_on_the_page_is_no_file(run: Home, policy: str) -> None:
    file = run.save("rival", f"competitor:\n  elasticity: 0.5\n  policy: {policy}\n")
    with pytest.raises(InputError, match=r"rival.yaml.*policy.*found '"):
        work.whatif(run.market, file, ["usual"], 0, run.answer(file))


def test_the_forecast_is_the_file_of_the_command(run: Home, tmp_path: Path) -> None:
    work.forecast(run.market, 3, 0, tmp_path / "page.json")
    theirs = tmp_path / "command.csv"
    assert mercato("forecast", run.market / "panel.parquet", "--horizon", 3, "--out", theirs).exit_code == 0
    assert (tmp_path / "page.csv").read_text() == theirs.read_text()
    told, rows = json.loads((tmp_path / "page.json").read_text()), pd.read_csv(theirs)
    (part,) = [one for one in told["series"] if one["item"] == "mocha"]
    assert part["hi"] == pytest.approx(rows.query("item == 'mocha'")["q0.9"].tolist())
    assert told["coming"] == sorted(rows["date"].str[:10].unique())
    assert len(part["units"]) == len(told["past"]) == 52
    drawn = read(charts.future(told, part, "day"))
    assert [row["date"] for row in drawn] == [*told["past"], *told["coming"]]


def test_the_price_response_is_that_of_the_command(run: Home) -> None:
    told = work.response(run.market, "corner", "mocha")
    theirs = result("response", run.market, *SERIES, "--json")
    assert json.loads(json.dumps(told)) == theirs
    rows = read(charts.response(told, "day", "€"))
    assert [float(row["units"]) for row in rows] == theirs["units"]
    low, high = theirs["support"]
    tried = {row["supported"] for row in rows if low <= float(row["price"]) <= high}
    assert tried == {"True"}
    assert {row["supported"] for row in rows} == {"True", "False"}
    assert all(a > b for a, b in zip(theirs["units"], theirs["units"][1:], strict=False))  # dearer, fewer
    assert all(lo <= u <= hi for lo, u, hi in zip(theirs["lo"], theirs["units"], theirs["hi"], strict=True))


def test_courses_are_those_of_the_command(run: Home) -> None:
    them = ["usual", run.policies()["ppo"]]
    found = work.trajectories(run.market, them, "corner", "mocha", 5, 1, 2)
    files = f"usual,{run.policies()['ppo']}"
    more = ("--policies", files, "--horizon", 5, "--seed", 1, "--episode", 2, "--json")
    assert found == result("trajectory", run.market, *SERIES, *more)
    assert [row["period"] for row in found] == [1, 2, 3, 4, 5] * 2
    for row in found:
        assert row["unmet"] == pytest.approx(row["demand"] - row["sales"])
        assert 0 <= row["sales"] <= min(row["demand"], row["on_hand"]) + 1e-4
    theirs = [row["demand"] for row in found if row["policy"] == found[0]["policy"]]
    assert read(charts.course("usual", found[:5], "day", "€", (5.0, 90.0)))[0]["demand"] == str(theirs[0])


def test_a_series_that_is_not_there_is_named(run: Home) -> None:
    line = refused("trajectory", run.market, "--location", "corner", "--item", "moka")
    assert "expected an item of the market" in line
    assert "did you mean 'mocha'?" in line
    assert "did you mean 'corner'?" in refused(
        "response", run.market, "--location", "corne", "--item", "mocha"
    )


def test_the_card_it_shows_is_that_of_the_command(card: dict[str, Any]) -> None:
    rows = read(charts.elasticities(card))
    assert [float(row["mean"]) for row in rows] == [row["mean"] for row in card["elasticity"]["own"]]
    drawn = charts.totals(card, "day")
    assert [float(row["real"]) for row in read(drawn)] == [row["real"] for row in card["simulated"]["totals"]]
    titles = [sheet.title for sheet in sheets(card)]
    assert "Own elasticities" in titles
    assert "Prices that were tried" in titles


def test_the_card_and_the_comparison_are_kept_for_this_very_market(run: Home, card: dict[str, Any]) -> None:
    home = Home(run.market)
    assert home.card() is None
    assert home.benchmark() is None
    home.kept("card").parent.mkdir()
    home.kept("card").write_text(json.dumps(card))
    assert home.card() == card
    scenario = home.save("mine", "cost: 1.05\n")
    home.answer(scenario).parent.mkdir()
    home.answer(scenario).write_text('{"answers": [{"scenario": "mine"}]}')
    assert home.answers() == [{"scenario": "mine"}]
    (home.market / "market.json").write_text((home.market / "market.json").read_text() + " ")
    assert home.card() is None
    assert home.answers() == []
    shutil.rmtree(home.pages)


def read(chart: charts.Chart) -> list[dict[str, str]]:
    """The data that a chart is downloaded as."""
    return list(csv.DictReader(io.StringIO(chart.csv())))


def test_names_from_a_table_are_no_formulas_in_a_spreadsheet() -> None:
    rows = [{"name": "=1+1", "mean": 1.0, "lo": -2.0, "hi": 3.0}]
    drawn = read(charts.intervals("t", "", "money", rows))
    assert drawn == [{"name": "'=1+1", "mean": "1.0", "lo": "-2.0", "hi": "3.0"}]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return dict(result("whatif", "--schema"))


def test_the_form_has_every_effect_and_every_field(schema: dict[str, Any]) -> None:
    from mercato.envs.scenarios import EFFECTS

    assert set(form.effects(schema)) == set(EFFECTS)
    for kind, model in EFFECTS.items():
        assert {field.name for field in form.fields(schema, kind)} == set(model.model_fields)
    assert [field.name for field in form.settings(schema)] == ["name", "horizon", "episodes", "start"]
    (orders,) = [field for field in form.fields(schema, "outage") if field.name == "orders"]
    assert orders.choices == ("refused", "delayed")


def test_what_is_typed_reads_back_as_a_scenario(schema: dict[str, Any], tmp_path: Path) -> None:
    from mercato.envs.scenarios import read_scenarios

    typed = {"multiplier": "0.9, 1", "window": ["2", "4"], "items": ["mocha", "1e5"], "fixed": ""}
    found = form.values(form.fields(schema, "price"), typed)
    assert found == {"multiplier": [0.9, 1], "window": [2, 4], "items": ["mocha", "1e5"]}
    file = tmp_path / "mine.yaml"
    file.write_text("cost: 1.05\n")
    file.write_text(work.added(file, {"horizon": 8}, "", {}))
    file.write_text(work.added(file, {}, "price", found))
    file.write_text(work.added(file, {}, "cost", {"multiplier": 1.1}))
    cheap, dear = (asked.scenario for asked in read_scenarios(file))
    assert (cheap.price[0].multiplier, dear.price[0].multiplier) == (0.9, 1)
    assert cheap.price[0].items == ("mocha", "1e5")
    assert [cost.multiplier for cost in cheap.cost] == [1.05, 1.1]
    assert cheap.horizon == 8


@pytest.mark.parametrize(
    ("kind", "typed", "said"),
    [
        ("price", {"multiplier": "cheap"}, "multiplier: expected a number, or several with commas"),
        ("price", {"window": ["3", ""]}, "window: expected its first and its last"),
        ("new_item", {"scale": "2"}, "name: expected its name, found nothing"),
    ],
)
def test_what_is_typed_wrongly_is_said_by_field(
    schema: dict[str, Any], kind: str, typed: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        form.values(form.fields(schema, kind), typed)


def counts(most: int, progress: Any) -> int:
    with progress.stage("count", total=most) as stage:
        for _ in range(most):
            time.sleep(0.02)
            stage.advance()
    return most


def fails(message: str, progress: Any) -> None:
    raise InputError(message)


@pytest.fixture
def jobs() -> Any:
    made = Jobs(__name__)
    yield made
    made.close()


def test_a_job_tells_how_far_it_is_and_what_it_found(jobs: Jobs) -> None:
    job = jobs.start("counts", 60)
    shares, words = set(), set()
    while not job.wait(0.02):
        shares.add(job.share)
        words.add(job.said.split(":")[0])
    assert (job.result, job.error) == (60, "")
    assert any(0 < share < 1 for share in shares)
    assert "count" in words


def test_a_cancelled_job_stops_at_once_and_the_next_one_runs(jobs: Jobs) -> None:
    job = jobs.start("counts", 100_000)
    while job.share == 0:
        assert not job.wait(0.02)
    process = job._hand._process  # type: ignore[union-attr]
    job.cancel()
    assert job.wait(5)
    assert job.cancelled
    assert job.result is None
    assert not process.is_alive()
    after = jobs.start("counts", 2)
    assert after.wait(60)
    assert after.result == 2


def test_questions_do_not_wait_for_long_work(jobs: Jobs) -> None:
    long, asked = jobs.start("counts", 100_000), jobs.ask("counts", 1)
    waiting = jobs.start("counts", 1)
    assert asked.wait(60)
    assert asked.result == 1
    assert long.running
    waiting.cancel()  # before its turn
    long.cancel()
    assert waiting.wait(10)
    assert (waiting.cancelled, waiting.result) == (True, None)


def test_what_goes_wrong_in_a_job_is_one_line(jobs: Jobs) -> None:
    job = jobs.ask("fails", "expected this, found that")
    assert job.wait(60)
    assert job.error == "expected this, found that"
