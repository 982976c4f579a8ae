"""The baselines of a market, tuned by simulated profit on customers that no report meets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from operator import itemgetter

import torch
from torch import Tensor

from ..envs.economics import Economics
from ..envs.market import Market
from ..envs.sub_markets import sub_markets
from ..forecasters.progress import SILENT, Progress
from ..forecasters.tensors import Cut
from .baselines.fluid import FluidPrice
from .baselines.myopic import MyopicPrice
from .baselines.orders import (
    BaseStock,
    CanOrder,
    CappedBaseStock,
    ConstantOrder,
    FixedCover,
    ReorderPoint,
    WasteAware,
)
from .baselines.prices import CostPlus, LastPrice, LoggedPrice, Markdown, StaticPrice
from .baselines.random import RandomPolicy
from .evaluation import earned, enough_periods
from .policy import OrderRule, Pair, Policy, PriceRule, within
from .recorded import AsRecorded, at_prices, record
from .search import best_of_grid, pattern_search
from .seeds import seed_for
from .static_price import HeldPrices, expected_optimum

COST_PLUS, STATIC, MYOPIC = "cost-plus", "static price", "myopic price"
LAST, LOGGED = "last price", "logged price"
MARKDOWN, FLUID = "markdown", "fluid price"
_LEAST_EPISODES = 4  # whatever a market's size: on so many dates prices have to be good
_ELEMENTS = 200_000  # series of all markets side by side in a trial
_HOPEFUL = 2  # kinds of order rules that are tuned, of those whose first candidates earn most
_FEW = 0.25  # share of the episodes that kinds of orders are told apart by, where each trial is dear
_LEAST_PRICES, _MOST_PRICES = 10, 100  # trials of static prices, whatever the market's size
_MARKUP = 0.5  # of cost, one of the starts of a quick search for static prices


@dataclass(frozen=True)
class TuningSettings:
    """How much simulation the tuning may cost."""

    periods: int = 26  # of each trial, more where orders take long: the opening stock must not decide
    volume: int = 50_000  # series-periods that each candidate plays at least, the same for all
    rounds: int = 8  # of refinement of each search
    markups: int = 7  # first candidates for cost-plus, evenly over the supported range
    price_volume: int = 1_000_000  # series-periods that the trials of static prices play in all


QUICK = TuningSettings(volume=2500, rounds=3, price_volume=20_000)
"""A few seconds, for rules that a policy corrects."""


@dataclass(frozen=True)
class OrderFamily:
    """A kind of order rule, with the first candidates for its numbers."""

    name: str
    make: Callable[..., OrderRule]
    grids: tuple[tuple[float, ...], ...]


_SAFETIES = (0.5, 0.6, 0.72, 0.85, 1.0, 1.2, 1.45, 1.75)  # multiples of the newsvendor level

_BATCHES = (0.35, 0.5, 0.7, 1.0, 1.4)  # economic order quantities


def order_families(economics: Economics) -> Iterator[OrderFamily]:
    """The kinds of order rules that make sense in a shop."""
    if economics.decide == "price":
        yield OrderFamily("no orders", BaseStock, ((1.0,),))  # whatever it asks for
        return
    cycle = economics.lead_time + economics.order_every
    yield OrderFamily("base-stock", BaseStock, (_SAFETIES,))
    covers = tuple(cover * cycle for cover in (0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.5))
    yield OrderFamily("fixed cover", FixedCover, (covers,))
    if economics.unmet == "lost" and economics.lead_time > 0:
        safeties, caps = (0.85, 1.0, 1.2, 1.45, 1.75), (0.9, 1.05, 1.25, 1.5, 2.0, 3.0)
        yield OrderFamily("capped base-stock", CappedBaseStock, (safeties, caps))
        yield OrderFamily("constant order", ConstantOrder, ((0.5, 0.65, 0.75, 0.85, 0.9, 0.95, 1.0, 1.05),))
    if economics.fixed_order_cost + economics.joint_order_cost > 0:
        yield OrderFamily("(s, S)", ReorderPoint, (_SAFETIES[1:7], _BATCHES))
    if economics.joint_order_cost > 0:
        yield OrderFamily("(s, c, S)", CanOrder, (_SAFETIES[1:7], _BATCHES, (0.25, 0.5, 0.9)))
    if perishes(economics):
        yield OrderFamily("waste-aware base-stock", WasteAware, (_SAFETIES,))


def perishes(economics: Economics) -> bool:
    """Whether stock does not keep."""
    return economics.waste_rate > 0 or economics.shelf_life is not None


def tune_baselines(
    market: Market, seed: int, settings: TuningSettings = TuningSettings(), progress: Progress = SILENT
) -> list[Policy]:
    """Every price rule with its free numbers tuned, and the order rule that earns most with it.

    Not on the customers of ``evaluate(seed=seed)``.
    """
    rules = len(price_names(market))
    with progress.stage("tune the baselines", total=1 + 2 * rules) as stage:
        trials = Trials.of(market, settings, seed_for("tune", seed))
        stage.advance()
        last = trials.best_pair(LAST, LastPrice())
        trials = replace(trials, ordering=last.ordering)
        tuned: list[Pair] = []
        for name, pricing in trials.prices():
            stage.advance()
            tuned.append(last if name == LAST else trials.best_pair(name, pricing))
            stage.advance()
        static = next(pair for pair in tuned if isinstance(pair.pricing, StaticPrice))
        tuned.extend(trials.by_stock(static))
    return [*tuned, RandomPolicy(seed=seed, max_cover=2.0 * (market.economics.lead_time + 1))]


def tune_static(market: Market, seed: int, progress: Progress = SILENT) -> Pair:
    """The static price, tuned in seconds (``QUICK``), with the order rule that earns most with it.

    Not on the customers of ``evaluate(seed=seed)``.
    """
    with progress.stage("tune the static price", total=3) as stage:
        trials = Trials.of(market, QUICK, seed_for("tune", seed))
        stage.advance()
        trials = replace(trials, ordering=trials.best_pair(LAST, LastPrice()).ordering)
        price = trials.static_price(_MARKUP)
        stage.advance()
        pair = trials.best_pair(STATIC, price)
        stage.advance()
    return pair


def price_names(market: Market) -> tuple[str, ...]:
    """The price rules that do not look at the stock, of ``tune_baselines``."""
    return (COST_PLUS, STATIC, MYOPIC, LAST, *((LOGGED,) if market.logged_price is not None else ()))


def stock_names(economics: Economics) -> tuple[str, ...]:
    """Those that look at a stock which perishes or has a season."""
    return (MARKDOWN, FLUID) if perishes(economics) or economics.season is not None else ()


def baseline_names(market: Market) -> tuple[str, ...]:
    """The prices of ``tune_baselines`` by name, before anything is tuned."""
    return (*price_names(market), *stock_names(market.economics), RandomPolicy.name)


@dataclass(frozen=True)
class Trials:
    """Simulated trials of one market; every candidate meets the same customers, who are recorded.

    Of a market too large to play at once they are trials of its first part.
    """

    whole: Market
    market: Market  # recorded
    settings: TuningSettings
    episodes: int
    seed: int
    ordering: OrderRule = BaseStock()  # of the trials of prices that do not look at the stock

    @classmethod
    def of(cls, market: Market, settings: TuningSettings, seed: int) -> Trials:
        """Record the customers at reference prices."""
        part = next(sub_markets(market))
        series, economics = part.shape[0] * part.shape[1], part.economics
        periods = economics.episode(enough_periods(economics, settings.periods))
        settings = replace(settings, periods=periods)
        episodes = max(_LEAST_EPISODES, ceil(settings.volume / (settings.periods * series)))
        usual = within(part.terms.reference_price, part)
        rule = Pair("usual", StaticPrice(usual, part.locations, part.items), BaseStock())
        recorded = record(part, rule, episodes, settings.periods, seed)
        return cls(market, recorded, settings, episodes, seed)

    def prices(self) -> Iterator[tuple[str, PriceRule]]:
        """Every price rule, tuned, by name."""
        markup = self.markup()
        make: dict[str, Callable[[], PriceRule]] = {
            COST_PLUS: lambda: CostPlus(markup),
            STATIC: lambda: self.static_price(markup),
            MYOPIC: lambda: MyopicPrice(markup=markup),
            LAST: LastPrice,
            LOGGED: LoggedPrice,
        }
        for name in price_names(self.whole):
            yield name, make[name]()

    def best_pair(self, name: str, pricing: PriceRule) -> Pair:
        """A price rule with the order rule that earns most with it, of kinds that look good untuned."""
        met, worths = self._at_prices(pricing), {}
        for family in order_families(self.market.economics):
            worths[family] = best_of_grid(partial(self._side_by_side, met, family.make), family.grids)
        hopeful = sorted(worths, key=lambda family: worths[family][1])[-_HOPEFUL:]
        tuned = [(family.name, *self._tuned(met, family, worths[family][0])) for family in hopeful]
        kind, rule, _ = max(tuned, key=itemgetter(2))
        return Pair(f"{name}, {kind}", pricing, rule)

    def by_stock(self, static: Pair) -> Iterator[Pair]:
        """Prices that look at a stock which perishes or has a season, with the orders that suit them.

        Prices that do not look at it want other orders: each kind is tuned at the price of ``static``, and
        tried.
        """
        economics = self.market.economics
        if not stock_names(economics):
            return
        assert isinstance(static.pricing, StaticPrice)
        met = self._at_prices(static.pricing)
        orders = {family.name: self._tuned(met, family)[0] for family in order_families(economics)}
        cycle = economics.lead_time + economics.order_every
        covers = tuple(cover * cycle for cover in (0.75, 1.25, 2.0))
        yield self._by_stock(
            MARKDOWN, partial(Markdown, static.pricing), (covers, (0.05, 0.15, 0.45)), orders
        )
        fluid = partial(FluidPrice, FluidPrice.iterations)  # by its doubt
        yield self._by_stock(FLUID, fluid, ((0.3, 0.7, 1.5),), orders)

    def _by_stock(
        self,
        name: str,
        make: Callable[..., PriceRule],
        grids: Sequence[Sequence[float]],
        orders: Mapping[str, OrderRule],
    ) -> Pair:
        """A price rule by its numbers, with the one of some order rules that suits its middle numbers."""

        def earned_by(rule: PriceRule, ordering: OrderRule, share: float) -> Tensor:
            return self.played(rule, ordering, share)[0].sum().cpu()

        def worth(candidates: Tensor, share: float) -> Tensor:
            return torch.stack([earned_by(make(*one), orders[kind], share) for one in candidates.tolist()])

        usual = make(*(grid[len(grid) // 2] for grid in grids))
        kind = max(orders, key=lambda kind: float(earned_by(usual, orders[kind], _FEW)))
        best = pattern_search(worth, grids, self.settings.rounds // 2)
        return Pair(f"{name}, {kind}", make(*best), orders[kind])

    def tuned_orders(self, pricing: PriceRule, family: OrderFamily) -> OrderRule:
        """An order rule tuned for prices that do not look at the stock."""
        return self._tuned(self._at_prices(pricing), family)[0]

    def _at_prices(self, pricing: PriceRule) -> Market:
        return at_prices(self.market, pricing, self.episodes, self.settings.periods, self.seed)

    def _tuned(
        self, met: Market, family: OrderFamily, start: Tensor | None = None
    ) -> tuple[OrderRule, float]:
        """An order rule tuned on recorded demand, and its profit."""
        worth = partial(self._side_by_side, met, family.make)
        best = pattern_search(worth, family.grids, self.settings.rounds, start)
        return family.make(*best), float(worth(torch.tensor([best]), 1.0))

    def _side_by_side(
        self, met: Market, make: Callable[..., OrderRule], candidates: Tensor, share: float
    ) -> Tensor:
        """(K,) mean profit of order rules with the numbers (K, D), by a share of the episodes."""
        played = ceil(share * self.episodes)
        room = max(1, _ELEMENTS // (played * met.shape[0] * met.shape[1]))
        means = []
        for some in candidates.to(met.device, torch.float32).split(room):
            numbers = some.repeat_interleave(played, 0).unbind(1)
            rule = Pair("trial", AsRecorded(), make(*(number.view(-1, 1, 1) for number in numbers)))
            episodes = torch.arange(played).repeat(len(some))
            profit, _ = earned(met, rule, episodes, self.settings.periods, self.seed)
            means.append(profit.sum((1, 2)).view(len(some), -1).mean(1))
        return torch.cat(means).cpu()

    def played(
        self, pricing: PriceRule, ordering: OrderRule | None = None, share: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """(S, I) mean profit and demand of each series under a pair, by a share of the episodes."""
        episodes, periods = torch.arange(ceil(share * self.episodes)), self.settings.periods
        pair = Pair("trial", pricing, self.ordering if ordering is None else ordering)
        sums = earned(self.market, pair, episodes, periods, self.seed)
        return sums[0].mean(0), sums[1].mean(0)

    def markup(self) -> float:
        """Markup of cost-plus, over the supported range."""
        terms = self.market.terms
        lowest = (terms.price_low / terms.unit_cost).quantile(0.1).clamp(min=1.0)
        highest = torch.maximum((terms.price_high / terms.unit_cost).quantile(0.9), lowest * 1.001)
        grid = torch.logspace(float(lowest.log10()), float(highest.log10()), self.settings.markups).tolist()

        def worth(candidates: Tensor, share: float) -> Tensor:
            profits = [self.played(CostPlus(float(one) - 1.0), share=share)[0].sum() for one in candidates]
            return torch.stack(profits).cpu()

        (multiple,) = pattern_search(worth, (grid,), self.settings.rounds // 2)
        return multiple - 1.0

    def static_price(self, markup: float) -> StaticPrice:
        """The prices that earn most if they are held."""
        prices, terms = self._static_prices(markup), self.whole.terms
        usual = float((prices / terms.reference_price).log().mean().exp())
        return StaticPrice(prices, self.whole.locations, self.whole.items, usual)

    def _static_prices(self, markup: float) -> Tensor:
        parts = list(sub_markets(self.whole))
        if len(parts) == 1:
            return self._held(markup)
        whole = torch.zeros_like(self.whole.terms.reference_price)
        for part in parts:
            trials = replace(Trials.of(part, self.settings, self.seed), ordering=self.ordering)
            prices = trials._held(markup)
            cut = Cut.of(self.whole.locations, self.whole.items, part.locations, part.items, whole.device)
            whole[cut.places.unsqueeze(1), cut.goods] = prices
        return whole

    def _held(self, markup: float) -> Tensor:
        """(S, I) prices that earn most in the trials if they are held."""
        terms = self.market.terms
        starts = [terms.unit_cost * (1.0 + markup), terms.reference_price]
        margin_alone = expected_optimum(self.market, terms.unit_cost, starts)
        served = expected_optimum(self.market, terms.unit_cost + self._serving(margin_alone), starts)
        volume = self.episodes * self.settings.periods * terms.unit_cost.numel()
        trials = min(max(_LEAST_PRICES, self.settings.price_volume // volume), _MOST_PRICES)
        return HeldPrices(self.market, self.profit_at, trials).best([served, margin_alone, *starts])

    def profit_at(self, price: Tensor) -> Tensor:
        """(S, I) mean profit of each series at prices (S, I) that are held."""
        return self.played(self._at(price))[0]

    def _at(self, price: Tensor) -> StaticPrice:
        return StaticPrice(price, self.market.locations, self.market.items)

    def _serving(self, price: Tensor) -> Tensor:
        """(I,) what a unit wanted costs beyond its unit cost at ``price``: stock, waste, lost sales."""
        profit, wanted = self.played(self._at(price))
        margin = ((price - self.market.terms.unit_cost) * wanted).sum(0)
        missed = (margin - profit.sum(0)).clamp(min=0.0)
        return (torch.minimum(missed, margin.clamp(min=0.0) / 2) / wanted.sum(0).clamp(min=1e-9)).float()
