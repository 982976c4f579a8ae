"""The baselines of a market, tuned by simulation on customers that no report meets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..envs.market import Market
from ..envs.simulator import Simulator
from ..forecasters.progress import SILENT, Progress
from .baselines.myopic import MyopicPrice, best_price
from .baselines.orders import BaseStock, FixedCover
from .baselines.prices import CostPlus, LastPrice, LoggedPrice, StaticPrice
from .baselines.random import RandomPolicy
from .evaluation import play
from .policy import Pair, Policy, PriceRule
from .seeds import seed_for


@dataclass(frozen=True)
class TuningSettings:
    """How much simulation the tuning may cost."""

    periods: int = 13  # of each trial
    episodes: int = 1  # played by each candidate, the same for all; every series in it counts
    markups: int = 9  # candidates for cost-plus, evenly over the supported range
    safeties: tuple[float, ...] = (0.6, 0.75, 0.87, 1.0, 1.15, 1.35, 1.7)  # multiples of the newsvendor level
    covers: tuple[float, ...] = (0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.5)  # multiples of lead time + 1 periods
    dates: int = 8  # of the history over which a static price is optimised


def tune_baselines(
    market: Market, seed: int, settings: TuningSettings = TuningSettings(), progress: Progress = SILENT
) -> list[Policy]:
    """Every baseline with its free parameter tuned; not on the customers of ``evaluate(seed=seed)``."""
    trials = _Trials(market, settings, seed_for("tune", seed))
    prices: dict[str, PriceRule] = {
        "static price": StaticPrice(trials.static_price(), market.locations, market.items),
        "myopic price": MyopicPrice(),
        "last price": LastPrice(),
    }
    if market.logged_price is not None:
        prices["logged price"] = LoggedPrice()
    with progress.stage("tune the baselines", total=len(prices) + 4) as stage:
        prices = {"cost-plus": CostPlus(trials.markup()), **prices}
        stage.advance()
        tuned: list[Policy] = []
        for name, pricing in prices.items():
            tuned.append(Pair(f"{name}, base-stock", pricing, BaseStock(trials.safety(pricing))))
            stage.advance()
        for name in ("myopic price", "last price"):
            tuned.append(Pair(f"{name}, fixed cover", prices[name], FixedCover(trials.cover(prices[name]))))
            stage.advance()
    return [*tuned, RandomPolicy(seed=seed, max_cover=2.0 * (market.economics.lead_time + 1))]


@dataclass(frozen=True)
class _Trials:
    """Simulated trials of one market; every candidate meets the same customers."""

    market: Market
    settings: TuningSettings
    seed: int

    def markup(self) -> float:
        """Markup of cost-plus, over the supported range."""
        terms = self.market.terms
        lowest = ((terms.price_low / terms.unit_cost).quantile(0.1) - 1.0).clamp(min=0.0)
        highest = torch.maximum((terms.price_high / terms.unit_cost).quantile(0.9) - 1.0, lowest)
        candidates = torch.linspace(float(lowest), float(highest), self.settings.markups).tolist()
        return self._best(candidates, lambda markup: Pair("trial", CostPlus(markup), BaseStock()))

    def safety(self, pricing: PriceRule) -> float:
        """Multiple of the newsvendor level for a price rule."""
        return self._best(self.settings.safeties, lambda safety: Pair("trial", pricing, BaseStock(safety)))

    def cover(self, pricing: PriceRule) -> float:
        """Periods of cover for a price rule."""
        cycle = self.market.economics.lead_time + 1
        candidates = [cover * cycle for cover in self.settings.covers]
        return self._best(candidates, lambda cover: Pair("trial", pricing, FixedCover(cover)))

    def static_price(self) -> Tensor:
        """(S, I) prices that earn most on average over dates of the history, as the model expects."""
        market, dates = self.market, self.settings.dates
        simulator = Simulator(market, dates, self.settings.periods, self.seed)
        view = simulator.view(simulator.reset())

        def profit(price: Tensor) -> Tensor:
            sold = view.expected(price.expand(dates, -1, -1)).mean(0, keepdim=True)
            return (price - market.terms.unit_cost) * sold

        return best_price(profit, market, markets=1, iterations=20)[0]

    def _best(self, candidates: Sequence[float], policy: Callable[[Tensor], Policy]) -> float:
        """The candidate that earns most; all play at once, each in its own markets."""
        episodes = torch.arange(self.settings.episodes).repeat(len(candidates))
        values = torch.tensor(candidates, device=self.market.device)
        tried = values.repeat_interleave(self.settings.episodes).view(-1, 1, 1)
        earned = play(self.market, policy(tried), episodes, self.settings.periods, self.seed)["profit"]
        return candidates[int(earned.view(len(candidates), -1).mean(1).argmax())]
