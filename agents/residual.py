"""Learning on top of a tuned baseline: an action is a correction, none is the baseline itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from ..envs.engine.types import Decision
from ..envs.engine.view import View
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
from .corrections import InUnits, OfLevel, OrderCorrection
from .policy import LiftedRule, Pair, PriceRule, nearest, price_range

# the rules that a learned policy's file may name
PRICE_RULES: dict[str, type] = {
    "myopic": MyopicPrice,
    "cost_plus": CostPlus,
    "static": StaticPrice,
    "last_price": LastPrice,
    "logged_price": LoggedPrice,
    "markdown": Markdown,
    "fluid": FluidPrice,
}
ORDER_RULES: dict[str, type] = {
    "base_stock": BaseStock,
    "fixed_cover": FixedCover,
    "capped_base_stock": CappedBaseStock,
    "constant_order": ConstantOrder,
    "reorder_point": ReorderPoint,
    "can_order": CanOrder,
    "waste_aware": WasteAware,
}


ORDERS: dict[str, type] = {"cover_reach": OfLevel, "unit_reach": InUnits}
"""How a learned policy's file calls the reach of each kind of correction of orders."""

_ROUNDING = 1e-6  # of a log price


def correctable(pair: Pair) -> bool:
    """Whether a learner may start from a pair: both rules can be written to a policy's file."""
    return type(pair.pricing) in PRICE_RULES.values() and type(pair.ordering) in ORDER_RULES.values()


@dataclass(frozen=True)
class Residual:
    """Corrects a baseline's price and what it orders for by two numbers in [-1, 1].

    log price = log base price + ``price_reach`` · a₀ · (log high - log low), kept inside the supported range;
    a₁ corrects the order at that price as ``orders`` says.
    """

    pricing: PriceRule
    ordering: LiftedRule
    price_reach: float = 0.25  # share of the supported log range
    orders: OrderCorrection = OfLevel(0.5)
    space: spaces.Space = field(
        default_factory=lambda: spaces.Box(-1.0, 1.0, (2,), dtype=np.float32),
        compare=False,
    )

    @classmethod
    def of(cls, base: Pair, price_reach: float, orders: OrderCorrection) -> Residual:
        """Corrections of a baseline, whose order rule must take a lift."""
        return cls(base.pricing, base.ordering, price_reach, orders)  # type: ignore[arg-type]

    def to_decision(self, action: Tensor, view: View) -> Decision:
        """Decision for ``action`` (B, U, 2)."""
        groups = view.market.by_group
        low, high = (bound.log() for bound in price_range(view.market))
        correction = action.clamp(-1.0, 1.0).unflatten(1, low.shape)  # (B, G, I, 2)
        with torch.no_grad():  # a gradient is that of the correction
            base = groups.mean(self.pricing.price(view), -2)
            kept = nearest(base.log(), view.market)
            start = torch.where((kept - base.log()).abs() < _ROUNDING, kept, base.log())
        log_price = base.log() + self.price_reach * (high - low) * correction[..., 0]
        change = nearest(log_price, view.market) - start  # none is exactly 0
        price = groups.spread(base * change.exp(), -2)
        number = groups.spread(correction[..., 1], -2)
        return Decision(price=price, order=self.orders.order(self.ordering, number, view, price))

    def greedy(self, output: Tensor) -> Tensor:
        """The action (B, U, 2) that a network's output (B, U, 2) means."""
        return output


@dataclass(frozen=True)
class OpenResidual:
    """Corrections of the rules that a shop has yet to tune: those of a policy for many shops."""

    price_reach: float
    orders: OrderCorrection

    def on(self, base: Pair) -> Residual:
        """The same corrections of a shop's rules."""
        return Residual.of(base, self.price_reach, self.orders)


@dataclass(frozen=True)
class ResidualGrid:
    """A lattice of corrections for learners with discrete actions: index = price · covers + cover."""

    residual: Residual
    prices: tuple[float, ...] = (-1.0, -0.5, 0.0, 0.5, 1.0)
    covers: tuple[float, ...] = (-1.0, 0.0, 1.0)

    @property
    def space(self) -> spaces.Space:
        return spaces.Discrete(len(self.prices) * len(self.covers))

    @property
    def neutral(self) -> tuple[int, int]:
        """Which price and which cover are no correction."""
        return self.prices.index(0.0), self.covers.index(0.0)

    def to_decision(self, index: Tensor, view: View) -> Decision:
        """Decision for ``index`` (B, U) int64."""
        axes = [torch.tensor(axis, device=index.device) for axis in (self.prices, self.covers)]
        return self.residual.to_decision(torch.cartesian_prod(*axes)[index], view)

    def greedy(self, output: Tensor) -> Tensor:
        """The best index (B, U) by values (B, U, prices + covers); a pair's value is the sum of its two."""
        price, cover = output.split([len(self.prices), len(self.covers)], dim=-1)
        return price.argmax(-1) * len(self.covers) + cover.argmax(-1)


Corrections = Residual | OpenResidual | ResidualGrid


def to_spec(actions: Corrections) -> dict[str, Any]:
    """An action map as plain data."""
    if isinstance(actions, ResidualGrid):
        return {**to_spec(actions.residual), "prices": list(actions.prices), "covers": list(actions.covers)}
    names = {kind: name for name, kind in ORDERS.items()}
    reaches = {"price_reach": actions.price_reach, names[type(actions.orders)]: actions.orders.reach}
    if isinstance(actions, OpenResidual):
        return reaches
    return {
        "pricing": _rule_spec(actions.pricing, PRICE_RULES),
        "ordering": _rule_spec(actions.ordering, ORDER_RULES),
        **reaches,
    }


def from_spec(spec: dict[str, Any]) -> Corrections:
    """The action map that ``to_spec`` described; KeyError, TypeError or ValueError where it is none."""
    (kind,) = (name for name in ORDERS if name in spec)
    open_to_all = OpenResidual(float(spec["price_reach"]), ORDERS[kind](float(spec[kind])))
    if "pricing" not in spec:
        return open_to_all
    pricing, ordering = _rule(spec["pricing"], PRICE_RULES), _rule(spec["ordering"], ORDER_RULES)
    residual = open_to_all.on(Pair("base", pricing, ordering))
    if "prices" not in spec:
        return residual
    return ResidualGrid(residual, tuple(spec["prices"]), tuple(spec["covers"]))


def _rule_spec(rule: Any, known: dict[str, type]) -> dict[str, Any]:
    names = {kind: name for name, kind in known.items()}
    return {
        "rule": names[type(rule)],
        **{key: _plain(value, known) for key, value in vars(rule).items()},
    }


def _plain(value: Any, known: dict[str, type]) -> Any:
    if type(value) in known.values():
        return _rule_spec(value, known)
    return value.tolist() if isinstance(value, Tensor) else value


def _rule(spec: dict[str, Any], known: dict[str, type]) -> Any:
    numbers = {key: _value(value, known) for key, value in spec.items() if key != "rule"}
    return known[spec["rule"]](**numbers)


def _value(value: Any, known: dict[str, type]) -> Any:
    if isinstance(value, dict):
        return _rule(value, known)
    if not isinstance(value, list):
        return value
    names = all(isinstance(one, str) for one in value)
    return tuple(value) if names else torch.tensor(value)
