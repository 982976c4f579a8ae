"""What the page asks of the Python interface: functions of plain things, called in a process of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...agents.tuning import baseline_names
from ...envs.market import Market
from ...envs.scenarios import catalogue
from ...envs.scenarios.schema import schema
from ...envs.scenarios.writing import in_fields, to_yaml
from ...envs.settings_file import Fault, kind_of, plain
from ...forecasters.errors import InputError
from ...forecasters.progress import SILENT, Progress
from .. import api, series
from ..card.card import market_card
from ..coming import keep_forecast
from ..output import plain as jsonable
from ..output import to_json, write_json, write_text
from ..policies import short_name
from ..runtime import fitted_panel
from ..scenarios import by_name_only, whatif_each


@lru_cache(maxsize=2)
def _opened(folder: Path, _: int) -> Market:
    return api.load_market(folder)


def _market(folder: Path) -> Market:
    """The market of a folder, opened once as long as nobody replaces it."""
    return _opened(folder, folder.stat().st_ino)


def about(folder: Path, progress: Progress = SILENT) -> dict[str, Any]:
    """What a market holds, by name, which rules may be named, and what scenarios may say."""
    market = _market(folder)
    listed = [] if market.panel is None else market.panel.series.tolist()
    pairs = listed or [[s, i] for s in range(market.shape[0]) for i in range(market.shape[1])]
    return {
        "name": market.name,
        "fitted": market.panel is not None,
        "locations": list(market.locations),
        "items": list(market.items),
        "categories": list(dict.fromkeys(market.categories)),
        "series": [(market.locations[s], market.items[i]) for s, i in pairs],
        "frequency": market.frequency,
        "currency": market.economics.currency,
        "periods": len(market.dates),
        "rules": _baselines(market),
        "schema": schema(),
        "ready": {name: catalogue.path(name).read_text("utf-8") for name in catalogue.names()},
    }


def card(folder: Path, out: Path, seed: int, progress: Progress = SILENT) -> None:
    """``mercato card``, kept in a file."""
    market = _market(folder)
    write_text(out, to_json(market_card(market, fitted_panel(market), seed, progress)) + "\n")


def forecast(folder: Path, horizon: int, seed: int, out: Path, progress: Progress = SILENT) -> None:
    """``mercato forecast`` of the market's table, CSV beside ``out``, which is JSON for the charts."""
    keep_forecast(fitted_panel(_market(folder)), horizon, seed, out, progress)


def response(folder: Path, location: str, item: str, progress: Progress = SILENT) -> dict[str, Any]:
    """``mercato response`` of a series."""
    return series.price_response(_market(folder), location, item).model_dump()


def added(
    file: Path,
    settings: Mapping[str, Any],
    kind: str,
    effect: Mapping[str, Any],
    progress: Progress = SILENT,
) -> str:
    """The YAML of a scenario's file with settings changed and, of a kind, one effect more."""
    name = f"scenario file {file.name}"
    found = plain(file, name)
    if not isinstance(found, dict | None):
        raise InputError(f"{name}: expected a mapping with effects, found {kind_of(found)}")
    try:
        scenario = in_fields(found or {})[0] | dict(settings)
    except Fault as fault:
        raise InputError(f"{name}: {fault}") from None
    if kind:
        scenario[kind] = [*scenario.get(kind, []), dict(effect)]
    scenario = {name: value[0] if _alone(value) else value for name, value in scenario.items()}
    return to_yaml(scenario)


def _alone(value: Any) -> bool:
    """Whether it is the one effect of its kind."""
    return isinstance(value, list) and len(value) == 1


def whatif(
    folder: Path,
    scenario: Path,
    policies: Sequence[str | Path],
    seed: int,
    out: Path,
    progress: Progress = SILENT,
) -> list[dict[str, Any]]:
    """``mercato whatif --json``: one answer a scenario and policy; they are kept in a file, too.

    Raises:
        InputError: a competitor's policy is a file, which the page does not read for whoever asks.
    """
    market = _market(folder)
    by_name_only(market, scenario)
    found = whatif_each(market, [scenario], policies, seed, progress=progress)
    answers = [jsonable(one.told) for one in found]
    write_json(out, {"answers": answers})
    return answers


def _baselines(market: Market) -> list[str]:
    return list(map(short_name, baseline_names(market)))


def benchmark(
    folder: Path, policies: Sequence[Path], out: Path, seed: int, progress: Progress = SILENT
) -> None:
    """``mercato benchmark --json``, kept in a file."""
    found = api.benchmark(_market(folder), *policies, seed=seed, progress=progress)
    write_text(out, to_json(found.payload()) + "\n")


def trajectories(
    folder: Path,
    policies: Sequence[str | Path],
    location: str,
    item: str,
    horizon: int,
    seed: int,
    episode: int,
    progress: Progress = SILENT,
) -> list[dict[str, Any]]:
    """``mercato trajectory``: one row a policy and period."""
    table = series.trajectories(
        *(_market(folder), policies, location, item, horizon, seed), episode=episode, progress=progress
    )
    return [jsonable(row) for row in table.replace({np.nan: None}).to_dict("records")]
