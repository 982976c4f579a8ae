"""What every request passes: its host, its origin, its size."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mercato.app.service.door import Door


class Asked:
    """A request to an application behind the door, which reads all of the body and says how much it was."""

    def __init__(self, local: bool, largest: int = 100) -> None:
        self.heard = -1
        self.door = Door(self._app, local, largest)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        size, more = 0, True
        try:
            while more:
                message = await receive()
                size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        except Exception:  # as FastAPI does, which takes whatever goes wrong for a body that cannot be read
            size = -2
        self.heard = size
        await send({"type": "http.response.start", "status": 200 if size >= 0 else 400, "headers": []})
        await send({"type": "http.response.body", "body": b"heard"})

    def __call__(self, *parts: bytes, **headers: str) -> tuple[int, str]:
        """Status and body of the answer."""
        told = {
            "host": "127.0.0.1:8000",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        scope = {
            "type": "http",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told.items()],
        }
        left, sent = list(parts) or [b""], []

        async def receive() -> Any:
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.door(scope, receive, send))
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        return sent[0]["status"], sent[1]["body"].decode()


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000", "127.0.0.2"])
def test_this_machine_is_heard(host: str) -> None:
    asked = Asked(local=True)
    assert asked(b"x", host=host) == (200, "heard")


@pytest.mark.parametrize("host", ["", "evil.example", "10.0.0.1", "127.0.0.1.evil.example", "[::1", "\xff"])
def test_where_no_token_is_asked_for_only_this_machine_is_heard(host: str) -> None:
    asked = Asked(local=True)
    status, said = asked(b"x", host=host)
    assert status == 403
    assert "expected a request to this machine" in json.loads(said)["error"]
    assert asked.heard == -1
    assert Asked(local=False)(b"x", host=host)[0] == 200


@pytest.mark.parametrize("local", [True, False])
def test_a_page_of_another_site_is_not_heard(local: bool) -> None:
    asked = Asked(local)
    for origin in ("http://evil.example", "null", "http://[", "http://127.0.0.1:8001"):
        assert asked(b"x", origin=origin)[0] == 403
    assert asked.heard == -1
    assert asked(b"x", origin="http://127.0.0.1:8000")[0] == 200


@pytest.mark.parametrize(
    ("parts", "headers"),
    [
        ((b"x" * 101,), {"content_length": "101"}),
        ((b"x",), {"content_length": "9" * 18}),
        ((b"x" * 101,), {}),  # in pieces, and nobody says how many
        ((b"x" * 60, b"x" * 60), {"content_length": "5"}),
        (tuple(b"x" for _ in range(101)), {"content_length": "9" * 30}),
    ],
)
def test_a_body_that_is_too_large_is_refused_as_such(
    parts: tuple[bytes, ...], headers: dict[str, str]
) -> None:
    status, said = Asked(local=True)(*parts, **headers)
    assert (status, said) == (413, '{"error": "expected a body of at most 100 bytes, found a larger one"}')


def test_a_body_of_the_largest_size_is_heard() -> None:
    asked = Asked(local=True)
    assert asked(b"x" * 60, b"x" * 40, content_length="100")[0] == 200
    assert asked.heard == 100
