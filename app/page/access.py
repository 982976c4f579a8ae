"""Who may see the page: this machine alone, or whoever has the token.

A page of another site that a browser shows can send requests to this machine, too. So the host that a request
names must be this machine's, and its origin, where it tells one, the page itself.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from ...forecasters.errors import InputError

COOKIE, ENTER = "mercato_token", "/enter"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,256}")
_LARGEST_FORM = 4096  # bytes

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that is bound to ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def token_for(host: str, given: str | None) -> str | None:
    """The token to ask for: the given one; a new one where other machines reach the page; else none.

    Raises:
        InputError: the given one is short enough to be guessed.
    """
    if given is not None:
        if not _TOKEN.fullmatch(given):
            raise InputError(
                "--token: expected at least 16 letters, digits, dashes and underscores, found"
                f" {len(given)} characters or others"
            )
        return given
    return None if is_loopback(host) else secrets.token_urlsafe(24)


@dataclass(frozen=True)
class Guard:
    """An ASGI application behind the door: it hears only of requests that may be answered."""

    app: App
    token: str | None  # None: whoever is on this machine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = _headers(scope)
        if not self._of_this_page(headers):
            await _refuse(scope, receive, send, 403, "expected a request of this page itself")
        elif self.token is None or self._right(_cookie(headers)):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await _refuse(scope, receive, send, 401, "")
        elif (given := _of_query(scope)) is not None:
            await self._enter(given, _without_token(scope), send)
        elif scope["path"] == ENTER and scope["method"] == "POST":
            await self._enter(await _of_form(receive), "/", send)
        else:
            await _answer(send, 401, _door(""))

    def _of_this_page(self, headers: dict[str, str]) -> bool:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self.token is None and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return False
        return origin is None or urlsplit(origin).netloc == host

    def _right(self, given: str) -> bool:
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())

    async def _enter(self, given: str, to: str, send: Send) -> None:
        if not self._right(given):
            await _answer(send, 401, _door("That is not the token."))
            return
        cookie = f"{COOKIE}={given}; Path=/; HttpOnly; SameSite=Strict"
        await _answer(send, 303, "", (("location", to), ("set-cookie", cookie)))


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _cookie(headers: dict[str, str]) -> str:
    try:
        jar = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def _of_query(scope: Scope) -> str | None:
    return parse_qs(scope["query_string"].decode("latin-1")).get("token", [None])[0]


def _without_token(scope: Scope) -> str:
    """Where a request with a token leads: the same page of this site."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    query.pop("token", None)
    path = "/" + scope["path"].lstrip("/\\")
    return path + (f"?{urlencode(query, doseq=True)}" if query else "")


async def _of_form(receive: Receive) -> str:
    body, more = b"", True
    while more and len(body) <= _LARGEST_FORM:
        message = await receive()
        body, more = body + message.get("body", b""), bool(message.get("more_body"))
    return parse_qs(body.decode("latin-1")).get("token", [""])[0]


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, said: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4000 + status})
    else:
        await _answer(send, status, f"<!doctype html><title>mercato</title><p>{said}</p>")


async def _answer(send: Send, status: int, body: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
    told = {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "referrer-policy": "same-origin",  # without any, a browser would not tell whose form it sends
    }
    lines = [(name.encode(), value.encode("latin-1")) for name, value in (*told.items(), *headers)]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body.encode()})


def _door(said: str) -> str:
    """The page that asks for the token."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>mercato</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        "<style>body { font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 24rem;"
        " padding: 0 1rem; }"
        " input, button { font: inherit; padding: .4rem .6rem; }</style></head>\n"
        f'<body><h1>mercato</h1><p>{said}</p><form method="post" action="{ENTER}">'
        "<p><label>Token, as <code>mercato ui</code> printed it<br>"
        '<input name="token" type="password" autocomplete="current-password" autofocus required></label></p>'
        "<button>Open</button></form></body></html>\n"
    )
