"""Customers who leave after empty shelves: found again, and worth knowing of (row 2).

A shop of fresh food keeps what little stock a lost sale alone is worth. In the true market its customers
leave, too, and mind empty shelves more than those of ``mercato data leaving-customers``. Its panel and its
event log are fitted; the market without and with customers is learned from them, policies are trained in
both, and all are played before the true customers, seeing what the shop sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import spearmanr

from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import CostPlus, LastPrice
from mercato.agents.evaluation import bootstrap, evaluate
from mercato.agents.learner import Validation
from mercato.agents.policy import Pair, Policy, PriceRule
from mercato.agents.train import PPOSettings, train_ppo
from mercato.agents.tuning import Trials, TuningSettings
from mercato.app.benchmarking import behind
from mercato.envs.economics import Economics
from mercato.envs.market import Market
from mercato.envs.store import fitted_market
from mercato.envs.structural import FAMILIES, LeavingDemand, Size, Truth, events_file, truth_folder
from mercato.envs.structural.draw import draw_log_linear
from mercato.envs.structural.leaving import with_leaving
from mercato.forecasters.customers import LeavingFit, learn_population
from mercato.forecasters.customers.histories import Histories
from mercato.forecasters.events import read_events
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.panel import read_panel

from ..tables.piece import Figure, Found, Plan
from .people import peopled


def _draw(size: Size, seed: int) -> LeavingDemand:
    return with_leaving(draw_log_linear(size, seed), seed, leaving=-4.0, stock_out=6.0, arrival=0.005)


FAMILY = replace(FAMILIES["leaving-customers"], draw=_draw)
FRESH = Economics(lead_time=0, shelf_life=1, waste_cost_rate=0.5, shortage_rate=0.0, initial_cover=1.0)
SEEDS, DEVELOPMENT = (9001, 9002, 9003), 101
WITHOUT, WITH = "without customers", "with customers"
MISSING = (0.0, 0.1, 0.2)  # shares of a basket, at which hazards are compared
_SAFETIES, _MARKUPS = (0.6, 0.8, 1.0, 1.2, 1.5), (0.6, 1.0)


@dataclass(frozen=True)
class Effort:
    """How much is simulated."""

    size: Size = Size(locations=8, items=4, weeks=130)
    ppo: PPOSettings = PPOSettings(
        steps=400_000, horizon=52, validation=Validation(times=6, episodes=16, horizon=52)
    )
    episodes: int = 64
    horizon: int = 52


QUICK = Effort(
    Size(locations=2, items=2, weeks=60),
    PPOSettings(steps=2_000, markets=8, horizon=26, validation=Validation(times=1, episodes=4, horizon=26)),
    episodes=8,
    horizon=26,
)


@dataclass(frozen=True)
class Shop:
    """One shop before forgetful customers, before those it knows to leave, and before the true ones."""

    markets: Mapping[str, Market]  # by WITHOUT and WITH
    true: Market
    truth: Truth
    found: LeavingFit
    usual: float  # log of the log's usual prices over those of the truth, on average


def open_shop(seed: int, size: Size) -> Shop:
    """Make a panel with its events, and fit both."""
    with TemporaryDirectory() as folder:
        out = FAMILY.write(Path(folder) / "panel.parquet", seed, size)
        panel, events = read_panel(out), read_events(events_file(out))
        model = fit_demand(panel, seed=seed)
        model = replace(model, response=model.response.without_promotions())
        fitted = fitted_market(model, panel, FRESH, "fitted")
        learned = learn_population(events, panel, seed=seed)
        truth = Truth.load(truth_folder(out))
        true = behind(fitted, truth_folder(out))
        charged = (truth.history.price / truth.demand.shop.reference_price).log().double().numpy()
        usual = float((charged - Histories.of(events, panel).dear).mean())
    markets = {WITHOUT: fitted, WITH: peopled(fitted, learned.population)}
    return Shop(markets, true, truth, learned.leaving, usual)


def hazards(shop: Shop) -> dict[str, Any]:
    """The chance to leave at a visit that missed some of the basket, found and true, at usual prices."""
    demand = shop.truth.demand
    assert isinstance(demand, LeavingDemand)
    true, found = demand.parameters, shop.found
    rows = []
    for missing in MISSING:
        said = float(expit(found.own + found.moved_by.stock_out * missing))
        is_true = float(expit(true.leaving + true.dear * shop.usual + true.stock_out * missing))
        rows.append({"missing": missing, "found": said, "true": is_true, "ratio": said / is_true})
    effects = {name: [getattr(found.moved_by, name), found.errors[name]] for name in ("stock_out", "dear")}
    truth = {"stock_out": true.stock_out, "dear": true.dear}
    return {"hazards": rows, "found": effects, "true": truth, "customers": found.customers}


def policies(shop: Shop, effort: Effort, seed: int) -> dict[str, Policy]:
    """What each market teaches: the tuned base-stock, and PPO that corrects it."""
    taught: dict[str, Policy] = {}
    for name, market in shop.markets.items():
        tuned = Trials.of(market, TuningSettings(periods=effort.horizon), seed).best_pair(
            "tuned", LastPrice()
        )
        taught[f"tuned {name}"] = replace(tuned, name=f"tuned {name}")
        taught[f"PPO {name}"] = train_ppo(market, effort.ppo, seed, base=tuned).named(f"PPO {name}")
    return taught


def rules() -> list[Policy]:
    """Rules of all sorts, to be ranked."""
    pricing: dict[str, PriceRule] = {"last price": LastPrice()}
    pricing |= {f"markup {m:g}": CostPlus(m) for m in _MARKUPS}
    return [Pair(f"{name}, {s:g}", rule, BaseStock(s)) for name, rule in pricing.items() for s in _SAFETIES]


def one_shop(seed: int, effort: Effort) -> dict[str, Any]:
    """The figures of one shop."""
    shop = open_shop(seed, effort.size)
    taught = policies(shop, effort, seed)
    played = [*taught.values(), *rules()]

    def profits(market: Market) -> dict[str, np.ndarray]:
        found = evaluate(market, played, effort.episodes, effort.horizon, seed)
        return dict(zip(found.names, found.values["profit"], strict=True))

    true = profits(shop.true)
    told = {name: profits(market) for name, market in shop.markets.items()}
    gains = {
        kind: list(bootstrap(true[f"{kind} {WITH}"] - true[f"{kind} {WITHOUT}"], seed))
        for kind in ("tuned", "PPO")
    }
    level = {kind: float(true[f"{kind} {WITHOUT}"].mean()) for kind in gains}
    ranks = {
        name: float(spearmanr([one[p].mean() for p in true], [true[p].mean() for p in true])[0])
        for name, one in told.items()
    }
    promised = {
        name: float(one[f"PPO {name}"].mean() / true[f"PPO {name}"].mean()) for name, one in told.items()
    }
    return {
        "seed": seed,
        **hazards(shop),
        "gain": gains,
        "profit_without": level,
        "rank_correlation": ranks,
        "promised_over_earned": promised,
    }


def churn(plan: Plan) -> Found:
    """The figures of some shops; of one small one where ``quick``."""
    effort = QUICK if plan.quick else Effort()
    shops = [one_shop(seed, effort) for seed in ((DEVELOPMENT,) if plan.quick else SEEDS)]
    return Found([figure for shop in shops for figure in figures(shop)], {"shops": shops})


def figures(shop: Mapping[str, Any]) -> list[Figure]:
    """Lines of the table on one shop."""
    seed, worst = shop["seed"], max(abs(row["ratio"] - 1) for row in shop["hazards"])
    ratios = ", ".join(f"{row['ratio']:.2f} at {row['missing']:.0%} missing" for row in shop["hazards"])
    lines = [Figure(f"leaving hazard, found / true, shop {seed}", ratios, "within 10%", worst <= 0.1)]
    ours, plain = (shop["rank_correlation"][name] for name in (WITH, WITHOUT))
    said = f"{ours:.2f} ({plain:.2f} {WITHOUT})"
    lines.append(Figure("rank correlation of policies with the truth", said, "> without", ours > plain))
    ours, plain = (shop["promised_over_earned"][name] for name in (WITH, WITHOUT))
    lines.append(Figure("promised / earned, PPO", f"{ours:.2f} ({plain:.2f} {WITHOUT})"))
    for kind in ("PPO", "tuned"):
        mean, low, high = (value / abs(shop["profit_without"][kind]) for value in shop["gain"][kind])
        said = f"{mean:+.1%} [{low:+.1%} … {high:+.1%}]"
        least = "> 0, clear of zero" if kind == "PPO" else ""
        lines.append(Figure(f"gain of knowing them, {kind}", said, least, low > 0 if least else None))
    return lines
