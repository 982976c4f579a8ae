"""``mercato report``: a run's page again from what the run kept, or the page of a market with policies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...forecasters.errors import InputError
from ..console import Bars, stderr
from ..output import kept_result, write_text
from ..page.home import Home, home_in
from ..report.coming import USUAL
from ..report.contents import Contents, read_contents

_HORIZON = 26  # as `benchmark` has them
_SHIFT_EPISODES = 12  # for each thing that is changed to see what hangs on it, at most


def run(
    folder: Path,
    policies: Sequence[Path],
    out: Path | None,
    episodes: int | None,
    horizon: int | None,
    currency: str | None,
    seed: int | None,
    workers: int | None,
    ray: str | None,
) -> None:
    if out is not None and out.suffix != ".html":
        raise InputError(f"--out: expected a file ending in .html, found {out}")
    if policies:
        if out is None:
            raise InputError("--out: expected a page to write, REPORT.html, for a market with policies")
        contents = of_market(
            folder, policies, episodes, horizon or _HORIZON, currency, seed or 0, workers, ray
        )
    else:
        played = {"episodes": episodes, "horizon": horizon, "seed": seed, "workers": workers, "ray": ray}
        given = [f"--{name}" for name, value in played.items() if value is not None]
        if given:
            raise InputError(f"{given[0]}: expected a market with policies, found no policy")
        contents, out = of_run(folder, currency), out or folder / "report.html"
    from ..report.page import render

    home = home_in(folder)
    write_text(out, render(contents, home.card(), _coming(home), home.answers()))
    stderr().print(f"wrote {out}")


def _coming(home: Home) -> dict[str, Any]:
    """The forecast of the market's table: as it is kept, or worked out and kept, for the page, too."""
    file = home.forecast()
    if (told := kept_result(file)) is None:
        from ...envs.store import load_panel
        from ..coming import keep_forecast

        with Bars(stderr()) as bars:
            told = keep_forecast(load_panel(home.market), USUAL, 0, file, bars)
    return told


def of_run(folder: Path, currency: str | None) -> Contents:
    """What a run kept, its money called otherwise where asked."""
    from ...envs.economics import Economics

    contents = read_contents(folder / "report.json")
    if currency is None:
        return contents
    return contents.model_copy(update={"currency": Economics().counted_in(currency).currency})


def of_market(
    market: Path,
    policies: Sequence[Path],
    episodes: int | None,
    horizon: int,
    currency: str | None,
    seed: int,
    workers: int | None,
    ray: str | None,
) -> Contents:
    """The contents for policies in a fitted market, benchmarked against the baselines."""
    from dataclasses import replace

    from ...agents.workers import employ
    from ..api import benchmark
    from ..decisions import decide
    from ..headline import headline
    from ..report.gather import Subject, gather
    from ..runtime import fitted_panel, open_market

    shop = open_market(market)
    shop = replace(shop, economics=shop.economics.counted_in(currency))
    panel = fitted_panel(shop)
    with Bars(stderr()) as bars, employ(workers, ray) as crew:
        found = benchmark(
            shop, *policies, episodes=episodes, horizon=horizon, seed=seed, progress=bars, workers=crew
        )
        best = found.policy(headline(found).learned)
        decisions = decide(found.market.forgotten, best, panel, None, None, seed, explain=True)
        subject = Subject(market.resolve().name, panel, decisions=decisions)
        return gather(subject, found, min(_SHIFT_EPISODES, found.evaluation.episodes), bars, crew)
