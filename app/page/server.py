"""The page's server: who may see it, what stands above every view, and what is shown without a market."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from ...forecasters.errors import InputError
from ..report.palette import MODEL
from . import demo, parts
from .access import App, Guard, is_loopback, token_for
from .home import Home, home_of
from .jobs import Jobs
from .nice import installed, ui
from .view import Desk, View
from .views import VIEWS


def serve(folder: Path | None, host: str, port: int, token: str | None, say: Callable[[str], None]) -> None:
    """Serve the page until it is interrupted.

    Raises:
        InputError: no market in the folder, a token that is none, or the address cannot be had.
    """
    installed()
    home, token = home_of(folder), token_for(host, token)
    listening = listen("ui", host, port)
    jobs, maker = Jobs(), demo.Maker()
    try:
        run(listening, application(home, jobs, maker, token), lambda: say(_address(host, listening, token)))
    finally:
        maker.stop()
        jobs.close()


def application(home: Home | None, jobs: Jobs, maker: demo.Maker, token: str | None) -> Guard:
    """The page as an ASGI application, behind its door."""
    from fastapi import FastAPI

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    shown = _Shown(jobs, maker, home)
    for view in VIEWS:
        ui.page(view.path, title=f"{view.title} · mercato")(shown.builder(view))
    style = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    ui.add_css(style, shared=True)
    ui.run_with(
        app,
        title="mercato",
        favicon="📈",
        language="en-US",
        show_welcome_message=False,
        binding_refresh_interval=None,
    )
    return Guard(app, token)


class _Shown:
    """What is shown: the desk of a market, or the offer to make one."""

    def __init__(self, jobs: Jobs, maker: demo.Maker, home: Home | None) -> None:
        self.jobs, self.maker = jobs, maker
        self.desk = None if home is None else Desk(home, jobs)

    def builder(self, view: View) -> Callable[[], Any]:
        async def build() -> None:
            if self.desk is None and (home := home_of(None)) is not None:
                self.desk = Desk(home, self.jobs)
            _frame(view, self.desk)
            with ui.element("main").props('id="main" tabindex=-1'):
                if self.desk is None:
                    demo.offer(self.maker)
                    return
                parts.heading(view.title, level=1)
                with parts.told():
                    await view.build(self.desk)
            ui.timer(0.5, self.desk.open, once=True)  # the first view is there before anything heavy begins

        return build


def _frame(shown: View, desk: Desk | None) -> None:
    """What stands above every view."""
    ui.colors(primary=MODEL)
    ui.html('<a class="skip" href="#main">Skip to the content</a>', sanitize=False)
    with ui.element("header").classes("top"):
        ui.html("mercato", tag="strong", sanitize=False)
        if desk is not None:
            ui.label(desk.home.name).classes("market")
        with ui.element("nav").props('aria-label="views"'):
            for view in VIEWS:
                link = ui.link(view.title, view.path)
                if view is shown:
                    link.props('aria-current="page"')


def listen(verb: str, host: str, port: int) -> socket.socket:
    """A socket of the address, before anything else is begun."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family[0], socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(family[4])
    except (OSError, UnicodeError) as error:
        raise InputError(
            f"{verb}: expected to listen at {host} port {port}, found that it cannot: {error}"
        ) from None
    return listening


def _address(host: str, listening: socket.socket, token: str | None) -> str:
    port = listening.getsockname()[1]
    named = f"[{host}]" if ":" in host else host
    asked = "" if token is None else f"?token={token}"
    seen = "" if is_loopback(host) else " (other machines reach it, too; whoever has the token may look)"
    return f"http://{named}:{port}/{asked}{seen}"


def run(listening: socket.socket, app: App, begun: Callable[[], None]) -> None:
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            begun()

    config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1)
    with suppress(KeyboardInterrupt):
        Server(config).run([listening])
