"""Rolling-horizon optimisation: every period the best decision by what sampled scenarios of demand bring.

Sample average approximation (Kleywegt, Shapiro and Homem-de-Mello 2002, SIAM Journal on Optimization 12(2)):
candidates for the coming period's price and order, around those of a tuned baseline, meet the same sampled
customers for some periods, in which the baseline decides (rollout: Bertsekas and Castañon 1999, Journal of
Heuristics 5). Nothing is trained; the work is done again in every period.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..envs.engine import tree
from ..envs.engine.rewards import accrued_profit
from ..envs.engine.types import Decision, State
from ..envs.engine.view import View
from ..envs.market import Market
from ..envs.processes import Independent
from ..envs.processes.observed import ObservedDemand
from ..envs.simulator import Simulator
from .baselines.orders import expected_a_period, in_time
from .policy import Pair, nearest
from .seeds import seed_for

ROLLING = "rolling horizon"
_AT_ONCE = 2**18  # series of all scenarios side by side: it bounds the memory
_PRICES = (-0.3, -0.12, -0.04, 0.04, 0.12, 0.3)  # log changes of the baseline's price
_UNITS = ((-0.2, 1.0), (0.2, 1.0), (-0.4, 2.0), (0.4, 2.0))  # changes of its order, and whole units at least
_FEW = 4  # series at most, of a market in which it is played unasked


@dataclass(frozen=True)
class RollingHorizon:
    """Improves on a baseline by looking ahead.

    Prices of a price group move together, for what an item gains others may lose; orders follow the price by
    the baseline's rule, and are tried by series, or by location where a budget or a joint cost binds them.

    Args:
        name: what tables call it.
        base: who decides after the coming period, and of what candidates are changes.
        seed: of the scenarios, whose customers are nobody's in particular.
        scenarios: of demand, the same for all candidates.
        horizon: periods that are played ahead, no more than are left of the season. Where None those that two
            orders take, two lives of what perishes, or the season's rest where nothing is ordered.
        doubt: standard errors by which a candidate's gain over the baseline is marked down: the best of
            several noisy means is too good to be true.
    """

    name: str
    base: Pair
    seed: int = 0
    scenarios: int = 48
    horizon: int | None = None
    doubt: float = 0.5

    @torch.no_grad()
    def decide(self, view: View) -> Decision:
        view = _believed(view)
        series = self.scenarios * view.market.shape[0] * view.market.shape[1]
        markets = len(view.state.age)
        parts = torch.arange(markets, device=view.market.device).split(max(1, _AT_ONCE // series))
        if len(parts) == 1:
            return self._decided(view)
        found = [self._decided(_some(view, rows)) for rows in parts]
        price, order = (torch.cat([getattr(one, what) for one in found]) for what in ("price", "order"))
        return Decision(price=price, order=order)

    def _decided(self, view: View) -> Decision:
        ahead = _Ahead(self, view)
        best = self.base.decide(view)
        earned = ahead.earned(best)
        if view.market.economics.decide != "order" and _free(view.market):
            best, earned = self._best(ahead, best, earned, self._prices(view, best), _by_group)
        if view.market.economics.decide != "price":
            best, _ = self._best(ahead, best, earned, _orders(view, best), _by_order)
        return best

    def _best(
        self,
        ahead: _Ahead,
        base: Decision,
        earned: Tensor,
        candidates: Iterator[Decision],
        pooled: Callable[[Tensor, Market], Tensor],
    ) -> tuple[Decision, Tensor]:
        """The best of candidates by what they surely gain over ``base``, which earns (B, N, S, I)."""
        best, most, kept = base, torch.zeros_like(base.price), earned
        for candidate in candidates:
            brought = ahead.earned(candidate)
            gains = pooled(brought - earned, ahead.view.market)
            error = gains.std(1) / self.scenarios**0.5
            sure = gains.mean(1) - self.doubt * error
            better = sure > most
            most = torch.where(better, sure, most)
            best = Decision(
                torch.where(better, candidate.price, best.price),
                torch.where(better, candidate.order, best.order),
            )
            kept = torch.where(better.unsqueeze(1), brought, kept)
        return best, kept

    def _prices(self, view: View, base: Decision) -> Iterator[Decision]:
        groups = view.market.by_group
        usual = groups.mean(base.price.log(), -2)
        for change in _PRICES:
            price = groups.spread(nearest(usual + change, view.market).exp(), -2)
            yield Decision(price, self.base.ordering.order(view, price))


class _Ahead:
    """The coming periods of a batch of markets, in scenarios that are the same for whatever is decided."""

    def __init__(self, policy: RollingHorizon, view: View) -> None:
        self.view, market, economics = view, view.market, view.market.economics
        cycle = economics.lead_time + economics.order_every
        usual = 2 * max(cycle, economics.shelf_life or 1)
        self.left = view.left  # (B, 1, 1) of the season
        rest = None if self.left is None else int(self.left.max())
        if rest is not None and economics.decide == "price":
            usual = rest  # what is in stock has to last for it
        self.periods = min(policy.horizon or usual, rest or policy.horizon or usual)
        self.base, self.scenarios = policy.base, policy.scenarios
        self.simulator = Simulator(market, 1, self.periods, policy.seed)
        state = tree.each(lambda x: x.repeat_interleave(self.scenarios, 0), view.state)
        number = torch.arange(self.scenarios, device=market.device).repeat(len(view.state.age))
        self.state: State = replace(state, seed=torch.full_like(state.seed, policy.seed), episode=number)

    def earned(self, first: Decision) -> Tensor:
        """(B, N, S, I) profit of each series in each scenario, accrued, if ``first`` is decided now."""
        market, simulator, state = self.view.market, self.simulator, self.state
        price, order = (x.repeat_interleave(self.scenarios, 0) for x in (first.price, first.order))
        decision = Decision(price=price, order=order)
        total = torch.zeros_like(decision.price)
        for period in range(self.periods):
            if period > 0:
                decision = self.base.decide(simulator.view(state))
            state, outcome = simulator.step(state, decision)
            profit = accrued_profit(outcome, market)
            if self.left is not None:
                profit = torch.where((self.left > period).repeat_interleave(self.scenarios, 0), profit, 0.0)
            total += profit
        return total.unflatten(0, (-1, self.scenarios))


def rolling_horizon(base: Pair, seed: int) -> RollingHorizon:
    """On top of a tuned baseline, with customers of its own."""
    return RollingHorizon(f"{ROLLING}, {base.name}", base, seed_for("look ahead", seed))


def affordable(market: Market) -> bool:
    """Whether looking ahead is cheap: few series, whose customers remember nothing."""
    return isinstance(market.demand, Independent) and market.shape[0] * market.shape[1] <= _FEW


def _orders(view: View, base: Decision) -> Iterator[Decision]:
    """Orders of a few units less or more: shares of a period's expected demand, whole."""
    usual, order = expected_a_period(view, base.price), base.order.round()
    for change, least in _UNITS:
        units = (abs(change) * usual).round().clamp(min=least).copysign(torch.tensor(change))
        yield replace(base, order=in_time((order + units).clamp(min=0.0), view))


def _by_group(gains: Tensor, market: Market) -> Tensor:
    """(B, N, S, I) gains of all of a price group's items together, for each of its series."""
    groups = market.by_group
    return groups.spread(groups.total(gains, -2).sum(-1, keepdim=True), -2).expand_as(gains)


def _by_order(gains: Tensor, market: Market) -> Tensor:
    """(B, N, S, I) gains of what is ordered together, for each of its series."""
    economics = market.economics
    if economics.order_budget is None and economics.joint_order_cost == 0:
        return gains
    return gains.sum(-1, keepdim=True).expand_as(gains)


def _free(market: Market) -> bool:
    """Whether any price may move."""
    return bool((market.terms.price_low < market.terms.price_high).any())


def _believed(view: View) -> View:
    """The market as its shop believes it to be, whoever its customers are."""
    demand = view.market.demand
    if not isinstance(demand, ObservedDemand):
        return view
    state = replace(view.state, demand=view.state.demand.observer)
    return View(view.market.with_demand(demand.follower), state, view.outlook)


def _some(view: View, rows: Tensor) -> View:
    """The markets ``rows`` (K,) of a view."""
    state, outlook = tree.each(lambda x: x[rows], (view.state, view.outlook))
    return View(view.market, state, outlook)
