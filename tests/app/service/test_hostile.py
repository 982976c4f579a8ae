"""Whatever is sent, the answer is one line that says what was expected, or what was asked for."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.python.asgi import ASGIClient
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mercato.app.service.door import Door
from mercato.app.service.service import Service
from tests.app.service.rows import file
from tests.app.service.shop import HERE, week
from tests.app.service.test_http import error

POSTS = (
    "/v1/sales?key=k",
    "/v1/decisions",
    "/v1/decisions/1/approve",
    "/v1/decisions/1/change",
    "/v1/decisions/1/reject",
    "/v1/sheets/1/approve",
    "/v1/whatif",
    "/v1/kill-switch",
)
GETS = ("/v1/decisions", "/v1/released", "/v1/audit", "/v1/forecast", "/ready", "/metrics")
KINDS = (
    "application/json",
    "text/csv",
    "",
    "application/json; charset=utf-16",
    "multipart/form-data",
    "x\xff",
)
FIELDS = (
    *("reason", "price", "order", "on", "rows", "stock", "locations", "date", "scenario", "policies"),
    *("episodes", "seed", "day", "shop", "sku", "qty", "unit price", "location", "item", "on_hand", "\ud800"),
)


def value(chance: Random, depth: int = 0) -> Any:
    """Something that JSON can say, though perhaps should not."""
    plain: list[Any] = [
        *(None, True, False, 0, -1, 2**31, 2**63, 10**400, -0.0, 1e308, 5e-324),
        *(float("nan"), float("inf"), -float("inf")),
        *("", "\0", "a\0b", "\ud800", "\udfff\ud800", "x" * 3000, "2023-05-02", "9999-99-99", "1e999"),
        *("'; drop table proposal; --", "../../etc/passwd", "=cmd|' /C calc'!A0", "{{7*7}}", "\r\nx: y"),
        *("\x1b[2J", "\u202e", "é" * 600, "corner", "mocha", "proposed"),
    ]
    kind = chance.random()
    if depth > 3 or kind < 0.5:
        return chance.choice(plain)
    if kind < 0.7:
        return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice(FIELDS): value(chance, depth + 1) for _ in range(chance.randrange(6))}


def body(chance: Random) -> bytes:
    """The body of a request."""
    kind = chance.randrange(8)
    if kind == 0:
        return chance.randbytes(chance.randrange(200))
    if kind == 1:
        opened = chance.choice([b"[", b'{"a":', b'{"rows":[', b'{"scenario":{"a":'])
        return opened * chance.choice([1, 900, 30_000])
    if kind == 2:
        return b'{"order": ' + b"9" * chance.choice([20, 400, 4299, 5000]) + b', "reason": "x"}'
    if kind == 3:
        table = week().to_csv(index=False).encode()
        at = chance.randrange(len(table))
        return (
            table[:at]
            + chance.choice([b"\0", b"\xff", b'"', b"\n,,,,,,,\n", b"\r", b"-", b"e9"])
            + table[at:]
        )
    if kind == 4:
        rows = json.loads(week().to_json(orient="records"))
        for _ in range(3):
            chance.choice(rows)[chance.choice(FIELDS)] = value(chance, 3)
        return json.dumps({"rows": rows}).encode("utf-8", "surrogatepass")
    asked = {chance.choice(FIELDS): value(chance) for _ in range(chance.randrange(5))}
    text = json.dumps(asked if kind < 7 else value(chance), ensure_ascii=kind < 6)
    return text.encode("utf-8", "surrogatepass")


def fine(answer: Any) -> bool:
    """Whether an answer is one; what is refused is so in one line."""
    if answer.status_code < 400:
        return True
    assert answer.status_code < 500, answer.text
    error(answer, answer.status_code)
    return False


@pytest.fixture
def ready(client: TestClient, service: Service) -> TestClient:
    """A client of a service that has something to decide, and a forecast."""
    with service.database.write() as connection:
        file(connection)
    service.warm()
    while client.get("/v1/forecast").status_code == 503:
        pass
    return client


@pytest.mark.parametrize("count", [25, pytest.param(300, marks=pytest.mark.slow)])
def test_hostile_bodies(ready: TestClient, service: Service, count: int) -> None:
    chance, refused = Random(count), 0
    for _ in range(count):
        sent, kind = body(chance), chance.choice((*KINDS[:1] * 3, *KINDS))
        for path in POSTS:
            heads = [(b"content-type", kind.encode("latin-1"))] if kind else []
            refused += not fine(ready.post(path, content=sent, headers=heads))
    assert refused > count * len(POSTS) * 0.8
    assert service.verify().fault == ""


@pytest.mark.parametrize("count", [25, pytest.param(300, marks=pytest.mark.slow)])
def test_hostile_questions_and_headers(ready: TestClient, service: Service, count: int) -> None:
    chance = Random(count)
    names = ("status", "date", "sheet", "after", "limit", "location", "item", "key", "more")
    for _ in range(count):
        asked = []
        for name in chance.sample(names, 3):
            given_ = value(chance, 9)
            raw = given_.encode("utf-8", "surrogatepass") if isinstance(given_, str) else str(given_).encode()
            asked.append(f"{name}={quote_from_bytes(chance.choice([raw, chance.randbytes(5)]))}")
        noise = bytes(byte for byte in chance.randbytes(20) if byte not in b"\r\n\0")
        heads = [(b"accept", noise), (b"authorization", chance.choice([b"", b"Basic " + noise]))]
        for path in GETS:
            fine(ready.get(f"{path}?{'&'.join(asked)}", headers=heads[: chance.randrange(3)]))
    assert service.verify().fault == ""


@pytest.mark.parametrize("count", [30, pytest.param(1000, marks=pytest.mark.slow)])
def test_whatever_the_openapi_file_allows(app: Door, ready: TestClient, service: Service, count: int) -> None:
    schema = schemathesis.openapi.from_dict(app.app.openapi())  # type: ignore[attr-defined]
    schema.app = app
    session = ASGIClient(app, base_url=HERE)
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    seen: list[int] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema.as_strategy(GenerationMode.POSITIVE) | schema.as_strategy(GenerationMode.NEGATIVE))
    def ask(case: Case) -> None:
        answer = case.call(base_url=HERE, session=session)
        case.validate_response(answer, checks=checks)
        seen.append(answer.status_code)

    ask()
    print({status: seen.count(status) for status in sorted(set(seen))})  # pytest -s shows it
    assert len(seen) >= count
    assert service.verify().fault == ""


def test_no_path_from_a_request_reaches_the_file_system(ready: TestClient, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("price: 0.9\n", encoding="utf-8")
    for scenario in (
        {"scenario": str(secret)},
        {"scenario": {"file": str(secret)}},
        {"scenario": {"competitor": [{"policy": str(secret), "price": 1.0}]}},
        {"scenario": {"price": 0.9}, "policies": [str(secret)]},
    ):
        assert not fine(ready.post("/v1/whatif", json=scenario))
