"""One period of a market whose profit has a gradient in what a policy decides.

Orders and customers come in whole units, and profit is linear between whole numbers: one unit more is worth
the slope on one side of where the market is, one less the slope on the other. Half of the markets therefore
lie a little towards the order that was meant, half a little below the demand that came (``NUDGE``), so that
every kink of what follows is passed on the right side.

*Orders.* An order of z units becomes the whole number below or above at random, z on average: expected profit
is then linear in z between the two, its slope the difference that the unit makes. At the nearest whole
number, to which the engine rounds, the slope of a best order would be 0 only by chance.

*Prices.* Demand D is taken as D · m(p) / m, with the mean m(p) and m its value alone: its slope in whatever f
follows is D · (f(D) - f(D - 1)) · m'(p) / m. For Poisson demand, and for every mixture of such in which the
mean multiplies the rate (the negative binomial and the geometric are), that is d E f(D) / dp without bias,
since E[D · g(D - 1)] = m · E[g(D)] for all g (Chen 1975, Annals of Probability 3(3)).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ...envs.engine.actions import ActionMap
from ...envs.engine.doubt import over_market
from ...envs.engine.rewards import accrued_profit, typical_revenue
from ...envs.engine.rules import enforce
from ...envs.engine.step import step
from ...envs.engine.types import Decision, Outcome, State
from ...envs.engine.view import View
from ...envs.market import Market
from ...envs.simulator import Simulator
from ...forecasters.simulation import Period
from ...forecasters.tensors import NoiseKey

NUDGE = 1e-3  # units


class _AsMeant(torch.autograd.Function):
    """What came of ``meant``, with the gradient of ``meant``."""

    @staticmethod
    def forward(ctx: Any, meant: Tensor, came: Tensor) -> Tensor:
        return came.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


class _Inward(torch.autograd.Function):
    """A bound that holds, but lets a loss pull back what it holds."""

    @staticmethod
    def forward(ctx: Any, meant: Tensor, came: Tensor) -> Tensor:
        ctx.save_for_backward(came - meant)
        return came.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (back,) = ctx.saved_tensors
        return torch.where(back * grad > 0, 0.0, grad), None


_ROUNDINGS = {Tensor.round, torch.round, Tensor.floor, torch.floor, Tensor.ceil, torch.ceil}
_CLAMPS = {Tensor.clamp, torch.clamp}


def _bounds(_: Tensor, min: Any = None, max: Any = None) -> bool:
    """Whether a clamp bounds what is decided, by its arguments: an action, an order, or each price.

    Others keep a factor within its range, whose gradient beyond is 0 as it is written.
    """
    return isinstance(min, Tensor) or isinstance(max, Tensor) or (min, max) in ((-1.0, 1.0), (0.0, None))


class StraightThrough(TorchFunctionMode):
    """Within it rounding has the gradient of the identity, and a bound of a decision has it inwards.

    So that the price rules, the ladder and the limits of an action, which are written for numbers alone, tell
    a policy in which direction to move (Bengio, Léonard and Courville 2013, arXiv 1308.3432).
    """

    def __torch_function__(
        self, function: Any, types: Any, arguments: Any = (), named: dict[str, Any] | None = None
    ) -> Any:
        result = function(*arguments, **(named or {}))
        if function not in _ROUNDINGS | _CLAMPS or not torch.is_grad_enabled():
            return result
        meant = arguments[0]
        if not meant.requires_grad:
            return result
        if function in _ROUNDINGS:
            return _AsMeant.apply(meant, result.detach())
        if _bounds(*arguments, **(named or {})):
            return _Inward.apply(meant.expand_as(result), result.detach())
        return result


@dataclass(frozen=True)
class Differentiable:
    """A simulator's periods with gradients."""

    simulator: Simulator
    actions: ActionMap
    rounding: torch.Generator  # of the market's device; decides how orders become whole
    caution: float = 0.0  # charged per unit of what the demand model is unsure of

    @property
    def market(self) -> Market:
        return self.simulator.market

    def view(self, state: State) -> View:
        """What a policy may look at, with gradients."""
        return View(self.market, state, self.market.demand.outlook(state.demand))

    def period(self, view: View, action: Tensor) -> tuple[State, Tensor]:
        """Play ``action`` (B, U, A): the next state, and what the period was worth (B,), in multiples of
        typical revenue."""
        state, market = view.state, self.market
        key = self.simulator.key(state)
        with StraightThrough():
            decision = self._apart(self.actions.to_decision(action, view))
            meant = decision.order
            whole = (meant + torch.rand(meant.shape, generator=self.rounding, device=market.device)).floor()
            decision = enforce(replace(decision, order=whole), state, market)
        order = decision.order + NUDGE * (meant - whole).detach()
        demand = self._demand(state, decision.price, key)
        after, outcome = step(state, replace(decision, order=order), demand, market, self.simulator.luck(key))
        period = Period(decision.price, demand, outcome.sales)
        advanced = market.demand.advance(state.demand, period, key)
        return replace(after, demand=advanced), self._worth(state, outcome)

    @property
    def _by_demand(self) -> Tensor:
        """(B, 1, 1) bool: markets that lie below the demand that came, and learn prices; others learn orders.

        All learn orders where no price is free.
        """
        terms = self.market.terms
        free = (terms.price_low < terms.price_high).any()
        odd = torch.arange(self.simulator.n_markets, device=self.market.device) % 2 == 1
        return (odd & free).view(-1, 1, 1)

    def _apart(self, decision: Decision) -> Decision:
        """Gradients of prices where markets lie below the demand that came, of orders elsewhere."""
        prices = self._by_demand
        return Decision(
            price=torch.where(prices, decision.price, decision.price.detach()),
            order=torch.where(prices, decision.order.detach(), decision.order),
        )

    def _demand(self, state: State, price: Tensor, key: NoiseKey) -> Tensor:
        """(B, S, I) units, with a gradient in what moves their mean."""
        process = self.market.demand
        with torch.no_grad():
            came = process.sample(state.demand, price, key)
        mean = process.expected(state.demand, price)
        ratio = mean / mean.detach().clamp(min=1e-12)
        return came * ratio - NUDGE * ((came > 0) & self._by_demand)

    def _worth(self, state: State, outcome: Outcome) -> Tensor:
        market = self.market
        worth = accrued_profit(outcome, market).sum((1, 2)) / typical_revenue(market).sum()
        if not self.caution:
            return worth
        unsure = market.demand.disagreement(state.demand, outcome.price)
        return worth - self.caution * over_market(unsure + outcome.off_support, market)
