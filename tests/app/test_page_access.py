"""Who may see the local page: the door before it, without the page."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mercato.app.page.access import COOKIE, Guard, is_loopback, token_for
from mercato.forecasters.errors import InputError

TOKEN = "a-token-of-some-length"


class Asked:
    """A request to a guarded application that says whether it was reached."""

    def __init__(self, token: str | None) -> None:
        self.reached = False
        self.guard = Guard(self._app, token)

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached = True

    def __call__(
        self,
        path: str = "/",
        query: str = "",
        method: str = "GET",
        body: bytes = b"",
        kind: str = "http",
        **headers: str,
    ) -> dict[str, Any]:
        """Status and headers of the answer; none where the application was reached."""
        told = {"host": "127.0.0.1:8080", **headers}
        scope = {
            "type": kind,
            "path": path,
            "method": method,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in told.items()],
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.guard(scope, receive, send))
        if not sent or sent[0]["type"] != "http.response.start":
            return {"sent": sent}
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return {"status": sent[0]["status"], "body": sent[1]["body"].decode(), **found}


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("192.168.1.4", False)],
)
def test_other_machines_need_a_token(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone
    token = token_for(host, None)
    assert (token is None) is alone
    if token is not None:
        assert len(token) >= 32
        assert token != token_for(host, None)
    assert token_for(host, TOKEN) == TOKEN


@pytest.mark.parametrize(
    "given", ["", "short", "with a space in it", "semi;colon;semi;colon", "ümlautümlautüm"]
)
def test_a_token_that_could_be_guessed_is_refused(given: str) -> None:
    with pytest.raises(InputError, match="--token: expected at least 16"):
        token_for("0.0.0.0", given)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"path": "/_nicegui_ws/socket.io/"},
        {"cookie": f"{COOKIE}=wrong"},
        {"cookie": f"other={TOKEN}"},
        {"query": "token=wrong"},
        {"path": "/enter", "method": "POST", "body": b"token=wrong"},
    ],
)
def test_without_the_token_nothing_is_reached(asked: dict[str, Any]) -> None:
    door = Asked(TOKEN)
    found = door(**asked)
    assert found["status"] == 401
    assert "set-cookie" not in found
    assert 'name="token"' in found["body"]
    assert not door.reached


def test_a_socket_without_the_token_is_closed() -> None:
    door = Asked(TOKEN)
    assert door(kind="websocket")["sent"][0]["type"] == "websocket.close"
    assert not door.reached


@pytest.mark.parametrize(
    ("asked", "to"),
    [
        ({"path": "/scenario", "query": f"token={TOKEN}&x=1"}, "/scenario?x=1"),
        ({"path": "//elsewhere.org/", "query": f"token={TOKEN}"}, "/elsewhere.org/"),
        ({"path": "/enter", "method": "POST", "body": f"token={TOKEN}".encode()}, "/"),
    ],
)
def test_the_first_visit_leaves_a_cookie_and_no_token_in_the_address(asked: dict[str, Any], to: str) -> None:
    door = Asked(TOKEN)
    found = door(**asked)
    assert (found["status"], found["location"]) == (303, to)
    assert "HttpOnly" in found["set-cookie"]
    assert "SameSite=Strict" in found["set-cookie"]
    door(cookie=found["set-cookie"].split(";")[0])
    assert door.reached


@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_page_of_another_site_reaches_nothing(token: str | None) -> None:
    cookie = f"{COOKIE}={TOKEN}"
    for origin in ("https://elsewhere.org", "http://127.0.0.1:9999", "null"):
        for kind in ("http", "websocket"):
            door = Asked(token)
            door(kind=kind, cookie=cookie, origin=origin)
            assert not door.reached
    door = Asked(token)
    door(kind="websocket", cookie=cookie, origin="http://127.0.0.1:8080")
    assert door.reached


def test_a_name_that_leads_to_this_machine_is_not_this_machine() -> None:
    door = Asked(None)
    assert door(host="rebound.elsewhere.org:8080")["status"] == 403
    assert not door.reached
    door(host="localhost:8080")
    assert door.reached
