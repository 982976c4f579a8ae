"""The demo's market, which the page offers to make where there is none."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import deque
from html import escape

from . import parts
from .home import DEMO
from .nice import ui

COMMAND = (sys.executable, "-m", "mercato.app.cli", "demo")
_LINES = 12
_FAILED = "failed"


class Maker:
    """``mercato demo`` in a process of its own."""

    def __init__(self) -> None:
        self.cancelled = False
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._process: subprocess.Popen[str] | None = None
        self.begun = ""  # time of the day

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def failed(self) -> bool:
        return not self.cancelled and self._process is not None and self._process.poll() not in (None, 0)

    @property
    def lines(self) -> tuple[str, ...]:
        """The last that it said."""
        return tuple(self._lines)

    def start(self, quick: bool) -> None:
        """Begin, or go on with one that was ended."""
        if self.running:
            return
        command = [*COMMAND, "--out", str(DEMO)]
        self._lines.clear()
        self.cancelled, self.begun = False, time.strftime("%H:%M")
        self._process = subprocess.Popen(
            [*command, "--quick"] if quick else command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def stop(self) -> None:
        """End it; begun again, it goes on where it was."""
        if self._process is not None and self.running:
            self.cancelled = True
            self._process.terminate()
            self._process.wait()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self._lines.append(line.rstrip())


def offer(maker: Maker) -> None:
    """What the page shows where there is no market."""
    parts.heading("No market yet", level=1)
    parts.paragraph(
        f"There is no demo in {DEMO} yet: it fetches"
        " the sales of eleven orange juices, learns the market and trains policies in it, which takes about"
        " ten minutes on two cores. A run or a market of your own opens with: mercato ui FOLDER"
    )
    with ui.row():
        make = ui.button("Make the demo", on_click=lambda: maker.start(False)).props("no-caps")
        quick = ui.button("A quick rehearsal of it", on_click=lambda: maker.start(True)).props(
            "outline no-caps"
        )
        stop = ui.button("Cancel", icon="stop", on_click=maker.stop).props("outline no-caps")
    state = ui.element("div").classes("w-full").props('aria-live="polite"')
    with ui.element("pre"):
        text = ui.html("", sanitize=True)
    shown = ""

    def tell(said: str) -> None:
        nonlocal shown
        if said == shown:
            return
        shown = said
        state.clear()
        with state:
            if said == _FAILED:
                parts.error(f"the demo could not be made: {(maker.lines or ('it said nothing',))[-1]}")
            elif said:
                parts.paragraph(said, "note")

    def look() -> None:
        make.set_enabled(not maker.running)
        quick.set_enabled(not maker.running)
        stop.set_enabled(maker.running)
        text.set_content("<br>".join(map(escape, maker.lines)))
        if maker.running:
            tell(f"At work since {maker.begun}.")
        elif maker.cancelled:
            tell("Cancelled. Begun again, it goes on where it was.")
        elif maker.failed:
            tell(_FAILED)
        elif (DEMO / "market").is_dir():
            timer.deactivate()
            ui.navigate.to("/")

    timer = ui.timer(0.5, look)
