"""What a view is, and what it may ask: a view is one file, and stands in the list of ``views``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from ...forecasters.errors import InputError
from .home import Home
from .jobs import Job, Jobs


@dataclass
class Desk:
    """The market that a page is about, and the work that it has under way; one for all who look."""

    home: Home
    jobs: Jobs
    under_way: dict[str, Job] = field(default_factory=dict)  # the latest long job of each view
    kept: dict[str, Any] = field(default_factory=dict)  # what each view shows again
    _about: Job | None = None

    def open(self) -> Job:
        """Open the market in the background, once."""
        if self._about is None or self._about.error:
            self._about = self.jobs.ask("about", self.home.market)
        return self._about

    async def about(self) -> dict[str, Any]:
        """What the market holds (``work.about``).

        Raises:
            InputError: it cannot be opened.
        """
        return dict(await result(self.open()))

    async def ask(self, name: str, *args: Any) -> Any:
        """The answer of a short function of ``work``.

        Raises:
            InputError: whatever went wrong, in one line.
        """
        return await result(self.jobs.ask(name, *args))

    def start(self, view: str, name: str, *args: Any) -> Job:
        """Set a long function of ``work`` going; what else a view had under way ends."""
        before = self.under_way.get(view)
        if before is not None and before.running and (before.name, before.args) == (name, args):
            return before
        self.stop(view)
        self.under_way[view] = self.jobs.start(name, *args)
        return self.under_way[view]

    def stop(self, view: str) -> None:
        """End what a view has under way."""
        if view in self.under_way:
            self.under_way[view].cancel()


@dataclass(frozen=True)
class View:
    """One page: where it is, what it is called, and what builds it."""

    path: str
    title: str
    build: Callable[[Desk], Awaitable[None]]


async def result(job: Job) -> Any:
    """What a job brings.

    Raises:
        InputError: what went wrong with it.
    """
    while not await asyncio.to_thread(job.wait, 1.0):
        pass
    if job.error:
        raise InputError(job.error)
    return job.result
