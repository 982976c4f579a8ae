"""What every request passes before the service hears of it: its host, its size."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..page.access import App, Receive, Scope, Send, is_loopback


class _TooLarge(Exception):
    pass


@dataclass(frozen=True)
class Door:
    """An ASGI application that hears only of requests that may be answered.

    A page of another site that a browser shows can send requests to this machine, too: where no token is
    asked for, the host that a request names must be this machine's, and its origin the service itself.
    """

    app: App
    local: bool  # no token is asked for
    largest: int  # bytes of a body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get("host", ""), headers.get("origin")
        if self.local and not _here(host):
            await _refuse(send, 403, f"expected a request to this machine, found one to {host!r:.80}")
        elif origin is not None and _netloc(origin) != host:
            await _refuse(send, 403, f"expected a request of this site, found one of {origin!r:.80}")
        elif _length(headers) > self.largest:
            await self._too_large(send)
        else:
            await self._heard(scope, receive, send)

    async def _heard(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen, begun = 0, False

        async def counted() -> Any:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.largest:
                raise _TooLarge
            return message

        async def watched(message: Any) -> None:
            nonlocal begun
            if seen <= self.largest or begun:
                begun = True
                await send(message)

        try:
            await self.app(scope, counted, watched)
        except Exception:  # the application may make something else of what is too large, or a group of it
            if seen <= self.largest:
                raise
        if seen > self.largest and not begun:
            await self._too_large(send)

    async def _too_large(self, send: Send) -> None:
        await _refuse(send, 413, f"expected a body of at most {self.largest:,} bytes, found a larger one")


def _here(host: str) -> bool:
    return is_loopback(_hostname(host))


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _length(headers: dict[str, str]) -> int:
    told = headers.get("content-length", "0")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 19 else 0


async def _refuse(send: Send, status: int, said: str) -> None:
    body = json.dumps({"error": said}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
