"""The service over HTTP: every way to it, who may go it, and one line for whatever is wrong."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError, TimeoutError

from mercato.app.service import access, ledger
from mercato.app.service.door import Door
from mercato.app.service.http import application
from mercato.app.service.service import Service
from tests.app.service.rows import DATE, SERIES, file
from tests.app.service.shop import HERE, week

LATER = "2023-05-09"
OPEN_TO_ALL = {("get", "/health"), ("get", "/ready")}
OF_VIEWERS = {
    *(("get", f"/v1/{name}") for name in ("decisions", "decisions/{number}/why", "released", "forecast")),
    ("post", "/v1/whatif"),
    ("get", "/metrics"),
}


def error(answer: httpx.Response, status: int) -> str:
    """The one line of an answer that has to be a refusal."""
    assert answer.status_code == status, answer.text
    (said,) = answer.json().values()
    assert isinstance(said, str)
    assert "\n" not in said
    assert "Traceback" not in said
    assert len(said) < 2100
    return said


def take(client: TestClient, key: str = "monday") -> httpx.Response:
    body = week().to_csv(index=False)
    return client.post("/v1/sales", params={"key": key}, content=body, headers={"content-type": "text/csv"})


def test_a_monday(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "up"}
    assert take(client).json()["rows"] == 21
    assert take(client).json()["repeated"] is True
    sheet = client.post("/v1/decisions", json={"date": LATER}).json()
    first, second, third = (row["id"] for row in sheet["decisions"])
    assert sheet["series"] == 3
    waiting = client.get("/v1/decisions", params={"status": "proposed", "date": LATER}).json()["decisions"]
    assert [row["id"] for row in waiting] == [first, second, third]
    assert client.post(f"/v1/decisions/{first}/approve", json={}).json() == {"decisions": 1}
    assert client.post(f"/v1/decisions/{first}/approve", json={}).json() == {"decisions": 1}
    changed = {"price": 4.2, "order": 7, "reason": "a rounder price"}
    assert client.post(f"/v1/decisions/{second}/change", json=changed).json() == {
        **{"decisions": 1, "price": 4.2, "order": 7, "notes": []}
    }
    assert client.post(f"/v1/decisions/{third}/reject", json={"reason": "new"}).json() == {"decisions": 1}
    assert client.post(f"/v1/sheets/{sheet['sheet']}/approve", json={}).json() == {"decisions": 0}
    released = client.get("/v1/released", params={"date": LATER}).json()["released"]
    assert [(row["proposal"], row["source"]) for row in released] == [
        (first, "approved"),
        (second, "changed"),
    ]
    assert (released[1]["price"], released[1]["order"], released[1]["reason"]) == (4.2, 7, "a rounder price")
    entries = client.get("/v1/audit").json()["entries"]
    assert [entry["action"] for entry in entries] == ["sales", "propose", "approve", "change", "reject"]
    told = client.get("/metrics").text
    assert 'mercato_decisions{status="released"} 2.0' in told
    assert "mercato_sales_batches 1.0" in told
    assert client.get("/ready").json() == {"status": "ready"}


def test_a_week_is_proposed_with_the_stock_of_some_shops(client: TestClient) -> None:
    stock = [{"location": "corner", "item": "mocha", "on_hand": 1000.0, "on_order": 5}]
    sheet = client.post("/v1/decisions", json={"locations": ["corner"], "stock": stock}).json()
    orders = {row["item"]: row["order"] for row in sheet["decisions"]}
    assert orders["mocha"] == 0
    assert orders["espresso"] > 0
    for asked, said in (
        ({"date": DATE + "x"}, f"date: expected {DATE}, the period after the latest sales, found {DATE}x"),
        ({"locations": ["nowhere"]}, "nowhere"),
        ({"locations": []}, "locations"),
        ({"stock": [{**stock[0], "item": "tea"}]}, "tea"),
        ({"stock": stock * 2}, "stock: expected one row a series"),
        ({"stock": [{**stock[0], "on_hand": -1}]}, "stock.0.on_hand: Input should be greater than"),
        ({"stock": [{**stock[0], "on_hand": "7"}]}, "on_hand: Input should be a valid number, found '7'"),
        ({"when": DATE}, "when: no such field"),
    ):
        assert said in error(client.post("/v1/decisions", json=asked), 422)


def test_why_a_price_is_what_it_is(client: TestClient) -> None:
    sheet = client.post("/v1/decisions", json={}).json()
    for row in sheet["decisions"]:
        assert row["drivers"] is None
        assert row["would_change"] is not None
        told = client.get(f"/v1/decisions/{row['id']}/why").json()
        assert sum(told["drivers"].values()) == pytest.approx(row["price"] - row["current_price"], abs=1e-9)
        assert told["would_change"] == row["would_change"]
    stock = [{"location": "corner", "item": "mocha", "on_hand": 3.0}]
    asked = {"locations": ["corner"], "stock": stock}
    plain, explained = (
        client.post("/v1/decisions", json=asked | {"explain": how}).json()["decisions"]
        for how in (False, True)
    )
    for before, row in zip(plain, explained, strict=True):
        assert (row["price"], row["order"]) == (before["price"], before["order"])
        told = client.get(f"/v1/decisions/{row['id']}/why").json()
        assert told["drivers"] == row["drivers"]
        assert sum(row["drivers"].values()) == pytest.approx(row["price"] - row["current_price"], abs=1e-9)
        assert "expected one of the latest sales" in error(
            client.get(f"/v1/decisions/{before['id']}/why"), 409
        )
    assert error(client.get("/v1/decisions/999/why"), 404)


def test_the_kill_switch(client: TestClient) -> None:
    sheet = client.post("/v1/decisions", json={}).json()
    client.post(f"/v1/sheets/{sheet['sheet']}/approve", json={"reason": "fine"})
    take(client)
    client.post("/v1/decisions", json={})
    done = client.post("/v1/kill-switch", json={"on": True, "reason": "nonsense in the shop"}).json()
    assert (done["withdrawn"], done["released"], done["date"]) == (3, 3, LATER)
    again = client.post("/v1/kill-switch", json={"on": True, "reason": "x"})
    assert "expected it to be off" in error(again, 409)
    repeated = client.post("/v1/decisions", json={}).json()
    assert (repeated["sheet"], repeated["released"], repeated["decisions"]) == (None, 0, [])
    before, after = (
        client.get("/v1/released", params={"date": date}).json()["released"] for date in (DATE, LATER)
    )
    assert [row["price"] for row in after] == [row["price"] for row in before]
    assert {(row["source"], row["order"], row["proposal"]) for row in after} == {("kill switch", None, None)}
    assert "mercato_kill_switch 1.0" in client.get("/metrics").text
    assert client.post("/v1/kill-switch", json={"on": False, "reason": "mended"}).json() == {}
    nothing = client.post("/v1/decisions", json={}).json()
    assert nothing["decisions"] == []
    assert f"3 series are decided for {LATER} already" in nothing["notes"][-1]


def test_released_prices_are_the_same_as_json_and_as_csv_page_by_page(
    client: TestClient, service: Service
) -> None:
    with service.database.write() as connection:
        ledger.approve(connection, "ann", file(connection, "2023-05-01"), 'fine, "really"\nyes')
        ledger.kill(connection, "ann", "stop")
        ledger.release_last(connection, "ann", DATE)
    rows: list[dict[str, Any]] = []
    tables: list[pd.DataFrame] = []
    after, more = 0, True
    while more:
        asked = {"after": after, "limit": 5}
        page = client.get("/v1/released", params=asked).json()
        csv = client.get("/v1/released", params=asked, headers={"accept": "text/csv"})
        assert csv.headers["content-type"].startswith("text/csv")
        assert csv.headers["x-after"] == str(page["after"])
        assert csv.headers["x-more"] == str(page["more"]).lower()
        rows += page["released"]
        tables.append(pd.read_csv(io.StringIO(csv.text), dtype=str, keep_default_na=False))
        after, more = page["after"], page["more"]
    assert len(rows) == 2 * len(SERIES)
    told = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    assert pd.concat(tables).to_dict("records") == told


def paths(app: Door) -> list[tuple[str, str]]:
    described = app.app.openapi()["paths"]  # type: ignore[attr-defined]
    return [(method, path) for path, methods in described.items() for method in methods]


def test_every_way_needs_a_token_and_a_role(service: Service) -> None:
    door = application(service, local=False)
    with service.database.write() as connection:
        viewer = access.add_token(connection, "root", "vic", access.VIEWER)
        approver = access.add_token(connection, "root", "ann", access.APPROVER)
        ended = access.add_token(connection, "root", "old", access.ADMIN)
        access.revoke_token(connection, "root", "old")
    client = TestClient(door, base_url="http://shop.example")
    bodies: dict[str, Any] = {"/v1/kill-switch": {"on": False, "reason": "x"}}

    def ask(method: str, path: str, token: str) -> int:
        url, heads = (
            path.replace("{number}", "999"),
            {b"authorization": token.encode("latin-1")} if token else {},
        )
        body = {"json": bodies.get(path, {"reason": "x"})} if method == "post" else {}
        return client.request(method, url, headers=heads, **body).status_code

    assert len(paths(door)) >= 14
    for method, path in paths(door):
        free = (method, path) in OPEN_TO_ALL
        for token in ("", "Bearer nonsense", f"Bearer {ended}", f"Basic {approver}", approver, "Bearer \xff"):
            if not (free and not token):
                assert (ask(method, path, token) == 401) is not free, (path, token)
                may = free or (method, path) in OF_VIEWERS
        assert (ask(method, path, f"Bearer {viewer}") == 403) is not may
        assert ask(method, path, f"bearer  {approver}") not in (401, 403)
    answer = client.get("/v1/decisions")
    assert error(answer, 401) == "authorization: expected 'Bearer' and a token that holds, found none"
    assert answer.headers["www-authenticate"] == "Bearer"
    said = error(client.get("/v1/audit", headers={"authorization": f"Bearer {viewer}"}), 403)
    assert said == "role: expected approver, found viewer"
    with service.database.write() as connection:
        access.revoke_token(connection, "root", "ann")
    assert ask("get", "/v1/audit", f"Bearer {approver}") == 401


def test_whoever_decides_is_in_the_trail(service: Service) -> None:
    with service.database.write() as connection:
        token = access.add_token(connection, "root", "ann", access.APPROVER)
        number, *_ = file(connection)
    client = TestClient(application(service, local=False), base_url="http://shop.example")
    client.post(f"/v1/decisions/{number}/approve", json={}, headers={"authorization": f"Bearer {token}"})
    entry = service.trail()[-1]
    assert (entry["actor"], entry["action"]) == ("ann", "approve")
    assert service.released()[0]["actor"] == "ann"


def test_a_caller_asks_so_often(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = service.settings.limits.model_copy(update={"requests": 0.1, "burst": 3})
    monkeypatch.setattr(service, "settings", service.settings.model_copy(update={"limits": limits}))
    client = TestClient(application(service, local=True), base_url=HERE)
    assert [client.get("/v1/decisions").status_code for _ in range(3)] == [200] * 3
    answer = client.get("/v1/decisions")
    assert error(answer, 429) == "expected fewer requests, found too many"
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        (
            "POST",
            "/v1/decisions/999/approve",
            {},
            404,
            "expected the number of one that was proposed, found 999",
        ),
        ("POST", "/v1/decisions/999/reject", {"reason": "x"}, 404, "found 999"),
        ("POST", "/v1/sheets/999/approve", {}, 404, "sheet: expected the number"),
        ("POST", "/v1/decisions/0/approve", {}, 422, "number: Input should be greater than or equal to 1"),
        ("POST", f"/v1/decisions/{2**31}/approve", {}, 422, "number: Input should be less than"),
        ("POST", f"/v1/decisions/{10**30}/approve", {}, 422, "number"),
        ("POST", "/v1/decisions/1e3/approve", {}, 422, "number: Input should be a valid integer"),
        ("POST", "/v1/decisions/1%00/approve", {}, 422, "number"),
        ("POST", "/v1/decisions/1/change", {"price": 3.0}, 422, "reason: Field required"),
        ("POST", "/v1/decisions/1/change", {"price": "3", "reason": "x"}, 422, "valid number, found '3'"),
        ("POST", "/v1/decisions/1/change", {"order": 2.5, "reason": "x"}, 422, "order: "),
        ("POST", "/v1/decisions/1/change", {"order": True, "reason": "x"}, 422, "order: "),
        ("POST", "/v1/kill-switch", {"on": "yes", "reason": "x"}, 422, "on: Input should be a valid boolean"),
        ("GET", "/v1/decisions?status=gone", None, 422, "status: expected one of proposed, held"),
        ("GET", "/v1/decisions?date=yesterday", None, 422, "date: "),
        ("GET", "/v1/released?date=01.05.2023", None, 422, "date: "),
        ("GET", "/v1/decisions?limit=0", None, 422, "limit"),
        ("GET", "/v1/decisions?limit=10001", None, 422, "limit"),
        ("GET", "/v1/released?after=-1", None, 422, "after"),
        ("GET", f"/v1/audit?after={2**31}", None, 422, "after"),
        ("GET", "/v1/forecast?item=%00", None, 422, "expected"),
        ("POST", "/v1/whatif", {"scenario": {"prise": 1}}, 422, "prise"),
        (
            "POST",
            "/v1/whatif",
            {"scenario": {"price": 0.9}, "policies": ["/etc/passwd"]},
            422,
            "expected names of",
        ),
        (
            "POST",
            "/v1/whatif",
            {"scenario": {"price": 0.9}, "episodes": 17},
            422,
            "episodes: expected a whole number, 2 to 16",
        ),
        ("POST", "/v1/sales", {"rows": []}, 422, "key: Field required"),
        ("POST", "/v1/sales?key=%00", {"rows": [{"day": 1}]}, 422, "expected"),
        ("GET", "/v1/nothing", None, 404, "Not Found"),
        ("DELETE", "/v1/decisions", None, 405, "Method Not Allowed"),
    ],
)
def test_what_is_wrong_is_one_line(
    client: TestClient, method: str, path: str, body: Any, status: int, said: str
) -> None:
    answer = client.request(method, path, **({} if body is None else {"json": body}))
    assert said in error(answer, status)


def test_what_is_decided_otherwise_is_a_conflict(client: TestClient, service: Service) -> None:
    with service.database.write() as connection:
        number, *_ = file(connection)
    client.post(f"/v1/decisions/{number}/reject", json={"reason": "no"})
    said = error(client.post(f"/v1/decisions/{number}/approve", json={}), 409)
    assert said == f"decision {number}: expected one that waits for a decision, found it rejected"
    take(client)
    body = week(seed=5).to_csv(index=False)
    heads = {"content-type": "text/csv"}
    answer = client.post("/v1/sales", params={"key": "monday"}, content=body, headers=heads)
    assert "used for others" in error(answer, 409)


@pytest.mark.parametrize("path", ["/v1/decisions", "/v1/sales?key=x", "/v1/whatif"])
@pytest.mark.parametrize("told", [True, False], ids=["its length is told", "in pieces"])
def test_a_body_that_is_too_large_is_refused(app: Door, service: Service, path: str, told: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b" " * 10_000

    async def ask() -> httpx.Response:
        heads = {"content-type": "application/json"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=HERE) as client:
            body: Any = b" " * 300_000 if told else pieces()
            return await client.post(path, content=body, headers=heads)

    assert "expected a body of at most 200,000 bytes" in error(asyncio.run(ask()), 413)


def test_what_cannot_be_answered_now_says_so(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> Any:
        raise OperationalError("select", {}, Exception("server closed the connection\nunexpectedly"))

    def busy(*_: Any, **__: Any) -> Any:
        raise TimeoutError("QueuePool limit of size 5 overflow 10 reached")

    for fault, said in ((gone, "the database does not answer: server closed"), (busy, "database is busy")):
        with monkeypatch.context() as patch:
            patch.setattr(service, "decisions", fault)
            answer = client.get("/v1/decisions")
        assert said in error(answer, 503)
        assert answer.headers["retry-after"] == "5"
    with monkeypatch.context() as patch:
        patch.setattr(service.model, "_now", None)
        assert "still being read" in error(client.get("/ready"), 503)


def test_a_bug_is_one_line_too(app: Door, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: Any, **__: Any) -> Any:
        raise RuntimeError("first line\nsecond line \ud800")

    monkeypatch.setattr(service, "decisions", bug)
    client = TestClient(app, base_url=HERE, raise_server_exceptions=False)
    said = error(client.get("/v1/decisions"), 500)
    assert "a bug in mercato, not in your input: RuntimeError: first line second line" in said


def test_another_site_and_another_host_are_not_heard(app: Door, service: Service) -> None:
    assert error(TestClient(app, base_url="http://evil.example").get("/v1/audit"), 403)
    client = TestClient(app, base_url=HERE)
    answer = client.post(
        "/v1/kill-switch", json={"on": True, "reason": "x"}, headers={"origin": "http://evil.example"}
    )
    assert error(answer, 403)
    assert service.killed() is None


def test_a_forecast_is_worked_out_once_and_told(client: TestClient) -> None:
    answer = client.get("/v1/forecast")
    while answer.status_code == 503:
        answer = client.get("/v1/forecast")
    assert {row["item"] for row in answer.json()["forecasts"]} == {"espresso", "flat white", "mocha"}
    (one,) = client.get("/v1/forecast", params={"item": "mocha"}).json()["forecasts"]
    assert (one["date"], one["q10"], one["q90"]) == (DATE, 1.0, 9.0)
    assert "tea" in error(client.get("/v1/forecast", params={"item": "tea"}), 422)
