"""Customers who leave after empty shelves: found again, and worth knowing of (row 2).

A shop of fresh food keeps what little stock a lost sale alone is worth. In the true market its customers
leave, too. Its panel and its event log are fitted; the market without and with customers is learned from
them, policies are trained in both, and all are played before the true customers, seeing what the shop sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from mercato.agents.baselines.orders import BaseStock
from mercato.agents.baselines.prices import CostPlus, LastPrice
from mercato.agents.evaluation import bootstrap, evaluate
from mercato.agents.learner import Validation
from mercato.agents.policy import Pair, Policy
from mercato.agents.train import PPOSettings, train_ppo
from mercato.agents.tuning import Trials, TuningSettings
from mercato.app.benchmarking import behind
from mercato.envs.economics import Economics
from mercato.envs.market import Market
from mercato.envs.store import fitted_market
from mercato.envs.structural import FAMILIES, LeavingDemand, Size, Truth, events_file, truth_folder
from mercato.forecasters.customers import LeavingFit, learn_population
from mercato.forecasters.events import read_events
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.panel import read_panel

from .people import peopled

FAMILY = "leaving-customers"
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
    Size(locations=3, items=2, weeks=80),
    PPOSettings(steps=20_000, markets=8, horizon=26, validation=Validation(times=1, episodes=4, horizon=26)),
    episodes=16,
    horizon=26,
)


@dataclass(frozen=True)
class Shop:
    """One shop before forgetful customers, before those it knows to leave, and before the true ones."""

    markets: Mapping[str, Market]  # by WITHOUT and WITH
    true: Market
    truth: Truth
    found: LeavingFit


def open_shop(seed: int, size: Size) -> Shop:
    """Make a panel with its events, and fit both."""
    with TemporaryDirectory() as folder:
        out = FAMILIES[FAMILY].write(Path(folder) / "panel.parquet", seed, size)
        panel, events = read_panel(out), read_events(events_file(out))
        model = fit_demand(panel, seed=seed)
        model = replace(model, response=model.response.without_promotions())
        fitted = fitted_market(model, panel, FRESH, "fitted")
        learned = learn_population(events, panel, seed=seed)
        truth = Truth.load(truth_folder(out))
        true = behind(fitted, truth_folder(out))
    markets = {WITHOUT: fitted, WITH: peopled(fitted, learned.population)}
    return Shop(markets, true, truth, learned.leaving)


def hazards(shop: Shop) -> dict[str, Any]:
    """The chance to leave at a visit that missed some of the basket, found and true, at usual prices."""
    demand = shop.truth.demand
    assert isinstance(demand, LeavingDemand)
    true, found = demand.parameters, shop.found
    usual = _usual_shift(shop)
    rows = []
    for missing in MISSING:
        said = _logistic(found.own + found.moved_by.stock_out * missing)
        is_true = _logistic(true.leaving + true.dear * usual + true.stock_out * missing)
        rows.append({"missing": missing, "found": said, "true": is_true, "ratio": said / is_true})
    effects = {name: [getattr(found.moved_by, name), found.errors[name]] for name in ("stock_out", "dear")}
    truth = {"stock_out": true.stock_out, "dear": true.dear}
    return {"hazards": rows, "found": effects, "true": truth, "customers": found.customers}


def _usual_shift(shop: Shop) -> float:
    """Log of the usual price by the log over that of the truth, mean of the series."""
    usual = shop.markets[WITHOUT].terms.reference_price
    return float((usual / shop.truth.demand.shop.reference_price).log().mean())


def _logistic(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


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
    pricing = {"last price": LastPrice(), **{f"markup {m:g}": CostPlus(m) for m in _MARKUPS}}
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


def churn(quick: bool = False, seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """The figures of some shops; of one small one where ``quick``."""
    effort = QUICK if quick else Effort()
    torch.manual_seed(0)
    return {"shops": [one_shop(seed, effort) for seed in ((DEVELOPMENT,) if quick else seeds)]}


def churn_table(result: Mapping[str, Any]) -> str:
    """In Markdown."""
    missing = [f"hazard at {share:.0%} missing, found / true" for share in MISSING]
    heads = ["seed", *missing, "effect of stock-outs (true)", "PPO gain", "tuned gain"]
    heads += ["rank correlation with, without", "promised / earned with, without"]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for x in result["shops"]:
        effect, error = x["found"]["stock_out"]
        cells = [str(x["seed"]), *(f"{row['ratio']:.2f}" for row in x["hazards"])]
        cells += [f"{effect:.2f} ± {error:.2f} ({x['true']['stock_out']:g})"]
        cells += [_gain(x, kind) for kind in ("PPO", "tuned")]
        for of in ("rank_correlation", "promised_over_earned"):
            cells.append(f"{x[of][WITH]:.2f}, {x[of][WITHOUT]:.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _gain(shop: Mapping[str, Any], kind: str) -> str:
    mean, low, high = (value / abs(shop["profit_without"][kind]) for value in shop["gain"][kind])
    return f"{mean:+.1%} [{low:+.1%} … {high:+.1%}]"
