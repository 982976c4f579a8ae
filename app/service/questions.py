"""What takes long to answer: forecasts, worked out once for each table, and scenarios, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ...envs.market import Market
from ...forecasters.errors import InputError
from ...forecasters.panel import SalesPanel
from .. import api
from ..coming import kept_forecast
from ..output import plain
from ..page.home import Home
from ..report.coming import USUAL
from ..scenarios import by_name_only, whatif_each


class NotNow(Exception):
    """The answer is being worked out, or another one is."""


class Forecasts:
    """The forecast after the latest sales: the run's own, or worked out when somebody first asks."""

    def __init__(self, kept: Path) -> None:
        self._kept = kept  # where the run has one, of the sales that it began with
        self._lock = threading.Lock()
        self._key: Any = None
        self._found: pd.DataFrame | Exception | None = None

    def ask(self, key: Any, panel: SalesPanel) -> pd.DataFrame:
        """The forecast of a panel, which ``key`` tells from others.

        Raises:
            NotNow: it is being worked out.
            InputError: the panel cannot be forecast.
        """
        with self._lock:
            if key != self._key:
                self._key, self._found = key, None
                threading.Thread(target=self._work, args=(key, panel), daemon=True).start()
            found = self._found
        if found is None:
            raise NotNow("forecast: it is being worked out, which takes about a minute; ask again")
        if isinstance(found, Exception):
            raise found
        return found

    def _work(self, key: Any, panel: SalesPanel) -> None:
        found: pd.DataFrame | Exception | None
        try:
            found = kept_forecast(self._kept, panel, USUAL)
            if found is None:
                found = api.forecast(panel, USUAL)
        except Exception as error:  # whoever asks hears of it
            found = error
        with self._lock:
            if key == self._key:
                self._found = found


class Scenarios:
    """Scenarios in a market, one at a time."""

    def __init__(self, home: Home) -> None:
        self._home, self._turn = home, threading.Lock()

    def ask(
        self, market: Market, scenario: Mapping[str, Any], policies: Sequence[str], episodes: int, seed: int
    ) -> list[dict[str, Any]]:
        """What a scenario changes under each policy, as ``mercato whatif --json`` tells it.

        Args:
            market: the market to simulate.
            scenario: fields of a scenario file.
            policies: names of the run's policies or of baselines; no files.
            episodes: of each.
            seed: of the customers.

        Raises:
            NotNow: another one is being played.
            InputError: the scenario or a policy does not fit.
        """
        learned = self._home.policies()
        known = by_name_only(market, scenario)
        for name in policies:
            if name not in learned and name not in known:
                raise InputError(
                    f"policies: expected names of {', '.join([*learned, *known])}, found {name!r:.60}"
                )
        if not self._turn.acquire(blocking=False):
            raise NotNow("whatif: another scenario is being played; ask again")
        try:
            who = [learned.get(name, name) for name in policies]
            found = whatif_each(market, [dict(scenario)], who, seed, episodes=episodes)
            return [plain(one.told) for one in found]
        finally:
            self._turn.release()
