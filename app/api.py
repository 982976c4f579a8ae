"""The Python interface, which the command line calls too.

Each function takes a market or its folder, a policy or its file, a table or its file; prints nothing unless a
``progress`` is given; and gives the same result for the same seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from numbers import Real
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from ..agents.evaluation import usual_episodes
from ..agents.learned import LearnedPolicy
from ..agents.pathwise import FINE_TUNING, PathwiseSettings, ShopsSettings
from ..agents.rolling import affordable, rolling_horizon
from ..agents.train import DQNSettings, PPOSettings, best_base
from ..agents.tuning import tune_baselines
from ..agents.workers import HERE, Workers
from ..envs import store
from ..envs.economics import Economics, read_economics
from ..envs.market import Market
from ..forecasters.errors import InputError, whole
from ..forecasters.events import Events, Items, Records, Relations, panel_of, read_records, reconciled
from ..forecasters.experiments import Findings
from ..forecasters.market_model import MarketModel, forecast_future
from ..forecasters.model import FitSettings
from ..forecasters.names import positions
from ..forecasters.panel import SalesPanel, read_panel
from ..forecasters.progress import SILENT, Progress
from . import decisions
from .arguments import AnyMarket, AnyPanel, AnyPolicy, open_any, valid_seed
from .benchmarking import Benchmark, check_horizon, compare, load_policies, load_policy, started
from .decisions import Decisions
from .efforts import USUAL, WORK
from .expectation import expectation
from .runtime import device, fitted_panel
from .stock import read_stock
from .training import LearnerSettings, train_into

LEARNERS = {"ppo": PPOSettings, "dqn": DQNSettings, "pathwise": PathwiseSettings}


def fit(
    panel: AnyPanel | None = None,
    out: str | Path | None = None,
    economics: Economics | Mapping[str, Any] | str | Path | None = None,
    seed: int = 0,
    *,
    model: str | Path | None = None,
    effort: str = USUAL,
    settings: FitSettings | None = None,
    tune: int = 0,
    experiment: Findings | str | Path | None = None,
    events: Events | pd.DataFrame | str | Path | None = None,
    items: Items | pd.DataFrame | str | Path | None = None,
    relations: Relations | pd.DataFrame | str | Path | None = None,
    progress: Progress = SILENT,
) -> Market:
    """Learn a market from a sales table, or from receipts alone.

    Args:
        panel: a CSV or parquet file or a data frame with the columns date, location, item, units and price;
            or the result of ``read_panel``, for a table that needs options. What was dropped, filled or
            flagged is in ``market.panel.report.notes``. Without it, the panel of ``events`` by week
            (``panel_of``).
        out: folder to write the market to, for ``load_market`` and the command line; an existing
            market there is replaced. An interrupted fit resumes where it stopped.
        economics: costs, lead time and price rules: ``Economics``, a mapping of its fields, or a YAML or JSON
            file. Values that are not given are assumed.
        seed: the same seed gives the same market on the same machine.
        model: a file that ``mercato pretrain`` wrote, whose forecast the levels of the market follow where it
            is better than the market's own; the shipped market model if not given; ``"scratch"`` for none.
        effort: ``"zero-shot"`` trains nothing, ``"usual"``, or ``"accurate"``, which trains longer and asks
            gradient-boosted trees, too, where the extra ``trees`` is installed.
        settings: size and training time of the demand model, instead of those of the effort.
        tune: try so many settings of its network, the given ones first, which stay unless others are clearly
            better on the last periods; the trials are kept in ``out``. Needs the extra ``tune``.
        experiment: what a price test found (``read_experiment``), or its file: own elasticities are combined
            with it by precision, and overruled where the two disagree beyond chance.
        events: what customers did (``read_events``), or its table; kept in ``out`` for all that is learned of
            customers.
        items: what is known of items (``read_items``), or its table.
        relations: what relates items (``read_relations``), or its table.
        progress: is informed of every stage; ``Bars()`` draws progress bars.

    Returns:
        The market to train in, benchmark in and decide with, on the GPU where there is one.

    Raises:
        InputError: the table, the economics or ``out`` do not fit; says what was expected and found.
        UnplayableError: what was learned does not simulate the table.
    """
    seed, terms, tune = valid_seed(seed), read_economics(economics), whole("tune", tune, 0)
    if out is not None:
        store.check_replaceable(Path(out))
    if effort not in WORK:
        raise InputError(f"effort: expected one of {', '.join(WORK)}, found {effort!r:.40}")
    test = experiment if experiment is None or isinstance(experiment, Findings) else Findings.load(experiment)
    work = WORK[effort]
    forecaster, settings = work.forecaster(model), settings or work.settings
    records = read_records(events, items, relations)
    table = _table(panel, records)
    with TemporaryDirectory() as passing:
        folder = Path(passing) / "market" if out is None else Path(out)
        market = store.fit_market(
            table, terms, folder, settings, seed, progress, device(), forecaster, tune, test, records
        )
    return market.to(device())


def _table(panel: AnyPanel | None, records: Records | None) -> SalesPanel:
    """The sales table to fit, which the records' purchases belong to."""
    if panel is None:
        if records is None:
            raise InputError("fit: expected a sales table, or events to make it of, found none")
        return panel_of(records.events, items=records.items)
    table = panel if isinstance(panel, SalesPanel) else read_panel(panel)
    if records is not None:
        reconciled(records.events, table)
    return table


def load_market(path: str | Path) -> Market:
    """A market from the folder that ``fit`` wrote, or a true one from its truth folder.

    Raises:
        InputError: the folder holds neither, or is damaged.
    """
    return open_any(path)


def forecast(
    panel: AnyPanel,
    horizon: int,
    seed: int = 0,
    *,
    model: str | Path | None = None,
    explain: bool = False,
    progress: Progress = SILENT,
) -> pd.DataFrame:
    """Forecast the periods after the last sales of a table, without fitting a market.

    Rows after the last sales whose units are empty are a plan: their prices, promotions and other columns are
    taken as they are. Beyond it the last prices stay, without promotions.

    Args:
        panel: a sales table, as for ``fit``.
        horizon: periods to forecast.
        seed: the same seed gives the same forecast.
        model: a file that ``mercato pretrain`` wrote; the shipped market model if not given.
        explain: add what each group of features multiplies the forecast with.
        progress: is informed of every stage.

    Returns:
        One row per period and series: ``date``, ``location``, ``item`` and the deciles ``q0.1`` … ``q0.9`` of
        units wanted, whatever the stock. With ``explain`` also ``ordinary``, the units of an ordinary period,
        and a multiplier for each group of features (``x prices`` …): their product is the median, and half a
        unit more.

    Raises:
        InputError: the table or the model does not fit, the history is too short, or the horizon too long.
    """
    table = panel if isinstance(panel, SalesPanel) else read_panel(panel)
    general = None if model is None else MarketModel.load(Path(model))
    found = forecast_future(table, whole("horizon", horizon, 1), valid_seed(seed), general, progress=progress)
    period, series = np.nonzero(found.listed)
    place, item = table.series[series].T
    rows = {
        "date": found.dates[period].astype("datetime64[s]"),
        "location": np.array(table.locations, dtype=object)[place],
        "item": np.array(table.items, dtype=object)[item],
    }
    deciles = found.deciles[period, series].T
    rows |= {f"q0.{k}": values for k, values in enumerate(deciles, start=1)}
    if explain:
        ordinary, multipliers = found.why()
        rows["ordinary"] = ordinary[period, series]
        rows |= {f"x {name}": values[period, series] for name, values in multipliers.items()}
    return pd.DataFrame(rows)


def train(
    market: AnyMarket | Sequence[AnyMarket],
    algo: str = "ppo",
    seed: int = 0,
    caution: float = 0.0,
    out: str | Path | None = None,
    *,
    start: LearnedPolicy | str | Path | None = None,
    settings: LearnerSettings | None = None,
    progress: Progress = SILENT,
) -> LearnedPolicy:
    """Train a pricing and replenishment policy that starts from the best tuned baseline and corrects it.

    Args:
        market: where to train; several, for ``pathwise``: one policy for shops like them, which corrects
            rules that are tuned in each in seconds.
        algo: the algorithm, ``ppo``, ``dqn`` or ``pathwise``.
        seed: the same seed gives the same policy on the same machine.
        caution: penalise this multiple of the revenue that the model is unsure of.
        out: ``.safetensors`` file to write the policy to, for ``LearnedPolicy.load`` and the command line.
        start: a policy to go on from for about a minute, or its file, such as one of several markets; for
            ``pathwise``.
        settings: of the algorithm, instead of the default: ``PPOSettings``, ``DQNSettings`` or
            ``PathwiseSettings``; of several markets ``ShopsSettings`` (``mercato.agents.pathwise``).
        progress: is informed of every stage.

    Raises:
        InputError: an unknown algorithm, or an argument out of range.
    """
    asked: Sequence[AnyMarket] = market if isinstance(market, list | tuple) else [market]  # type: ignore[list-item]
    shops = [open_any(one).remembered for one in asked]
    if not shops:
        raise InputError("market: expected one or more, found none")
    how = settings_of(algo, caution, settings, markets=len(shops), start=start is not None)
    begins = LearnedPolicy.load(start) if isinstance(start, str | Path) else start
    with TemporaryDirectory() as passing:
        file = _policy_file(Path(passing) / "policy.safetensors" if out is None else out)
        where = shops if len(shops) > 1 else shops[0]
        train_into(where, how, {valid_seed(seed): file}, progress, start=begins)
        return LearnedPolicy.load(file)


def settings_of(
    algo: str,
    caution: float = 0.0,
    settings: LearnerSettings | None = None,
    *,
    markets: int = 1,
    start: bool = False,
) -> LearnerSettings:
    """Settings of the learner called ``algo``, or ``settings`` if they are that learner's.

    Args:
        markets: how many it trains in.
        start: whether it goes on from a policy.

    Raises:
        InputError: there is no such learner, it cannot do that, the settings are another's, or the caution is
            not 0 or more.
    """
    try:
        kind = list(LEARNERS)[positions([str(algo)], list(LEARNERS), "a learner")[0]]
    except InputError as error:
        raise InputError(f"algo: {error}") from None
    if markets > 1 and start:
        raise InputError(f"start: expected one market to go on in, found {markets}")
    if (markets > 1 or start) and kind != "pathwise":
        what = "a policy to start from" if start else f"{markets} markets"
        raise InputError(f"algo: expected pathwise for {what}, found {kind}")
    usual = ShopsSettings() if markets > 1 else FINE_TUNING if start else LEARNERS[kind]()
    caution, settings = _number("caution", caution), settings or usual
    if type(settings) is not type(usual):
        found = type(settings).__name__
        raise InputError(f"settings: expected {type(usual).__name__} for {kind}, found {found}")
    return replace(settings, caution=caution) if caution else settings


def benchmark(
    market: AnyMarket,
    *policies: AnyPolicy,
    truth: str | Path | None = None,
    episodes: int | None = None,
    horizon: int = 26,
    rolling: bool | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
    workers: Workers = HERE,
) -> Benchmark:
    """Compare policies with the tuned rules a shop would use today, with the same simulated customers.

    Args:
        market: the market to simulate.
        policies: learned policies or their files; without any, the rules alone are compared. Anything with
            a ``name`` and ``decide(view)`` is a policy.
        truth: truth folder of a reference table: the same policies also face its true customers.
        episodes: number of episodes, at least two. If not given 64, fewer in markets of over 2,000 series.
        horizon: periods per episode, at most those of the history.
        rolling: whether one of the rules looks ahead on sampled scenarios in every period, on top of the
            best of the others. It costs some thousand times what another rule does, and is there in markets
            of up to four series whose customers remember nothing (``mercato problem``), if not given.
        seed: of the customers, and of the tuning, which uses other customers.
        progress: is informed of every stage.
        workers: parallel workers, ``mercato.agents.workers.employ(4)``; by default this process alone.

    Returns:
        ``.table``, one row per policy, and ``.differences`` of profit between policies, with 95% intervals.

    Raises:
        InputError: a policy is none, two share a name, or an argument is out of range.
    """
    seed = valid_seed(seed)
    horizon, shop, given = (
        whole("horizon", horizon, 1),
        open_any(market).remembered,
        load_policies(policies),
    )
    episodes = usual_episodes(shop) if episodes is None else whole("episodes", episodes, 2)
    check_horizon(shop, horizon)
    learned = [started(policy, shop, seed, progress) for policy in given]
    baselines = tune_baselines(shop, seed, progress=progress)
    if affordable(shop) if rolling is None else rolling:
        baselines.append(rolling_horizon(best_base(shop, baselines, seed), seed))
    nature = None if truth is None else Path(truth)
    return compare(shop, learned, baselines, episodes, horizon, seed, nature, progress, workers)


def decide(
    market: AnyMarket,
    policy: AnyPolicy,
    panel: AnyPanel,
    stock: pd.DataFrame | str | Path | None = None,
    seed: int = 0,
    *,
    explain: bool = False,
) -> Decisions:
    """What to charge and order in the period after the latest sales table.

    Args:
        market: a fitted market.
        policy: the policy that decides.
        panel: the latest table, with the columns of the fitted one, read in the same way; the latest rows
            are enough. What the market does not know, or the table lacks, is left out with a note.
        stock: columns location, item, on_hand and optionally on_order, in units; assumed if not given.
        seed: for policies with random actions.
        explain: add the price and the order that the policy ordinarily decides for each series, and what each
            group of what it sees adds to them.

    Returns:
        ``.rows``, a data frame with one row per series; ``.csv()``, the same as text; ``.gain`` with
        ``.gain_lo`` and ``.gain_hi``, money in that period over keeping all prices; ``.notes``.

    Raises:
        InputError: a market that was not fitted, a table that does not carry the market's on, or a stock
            table that does not fit.
    """
    seed, who, shop = valid_seed(seed), load_policy(policy), open_any(market)
    own = fitted_panel(shop)
    latest = panel if isinstance(panel, SalesPanel) else own.reading.read(panel, otherwise=own.frequency)
    at_hand = None if stock is None else read_stock(stock, shop, own.reading.map)
    return decisions.decide(shop, started(who, shop.remembered, seed), own, latest, at_hand, seed, explain)


def why(market: AnyMarket, location: str, item: str, date: str | np.datetime64 | None = None) -> pd.DataFrame:
    """Why the market expects what it does of one series: what each group of inputs multiplies demand with.

    From an ordinary period, before which every series sold its usual amount at its reference price, without
    promotions, at the average time of the year: integrated gradients through regressions, Transformer and
    price response. A period of the table is explained at its own prices and promotions, as the simulated
    market expects it from what precedes it; the coming one at the last prices.

    Args:
        market: a fitted market.
        location: of the series.
        item: of the series.
        date: first day of a period of the table, after its first; the period after the table if not given.

    Returns:
        One row per step from ``an ordinary period`` to ``expected``: ``step``, ``times``, which multiplies,
        and ``units`` so far.

    Raises:
        InputError: a market that was not fitted, or a location, an item or a date that it does not know.
    """
    return expectation(open_any(market), str(location), str(item), date)


def _policy_file(path: str | Path) -> Path:
    if Path(path).suffix != ".safetensors":
        raise InputError(f"out: expected a file ending in .safetensors, found {path}")
    return Path(path)


def _number(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not (value >= 0 and isfinite(value)):
        raise InputError(f"{name}: expected a number of 0 or more, found {value!r:.60}")
    return float(value)
