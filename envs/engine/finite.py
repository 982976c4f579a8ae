"""No number that is none leaves a market: where one arises it is named, with its series and period."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ...forecasters.errors import InputError, UnplayableError
from ..market import Market
from .types import Decision, Outcome, State


def all_finite(*values: Tensor) -> bool:
    """Every number is finite. Asks the device once.

    A sum is finite only where all of its terms are: one pass tells. Only a sum that is not asks for each.
    """
    total = torch.stack([value.sum(dtype=torch.float32) for value in values]).sum()
    return math.isfinite(float(total)) or all(bool(value.isfinite().all()) for value in values)


def refuse_decision(decision: Decision, state: State, market: Market) -> None:
    """Refuses prices that are no positive finite numbers and orders that are no finite ones.

    Raises:
        InputError: says of which series in which period.
    """
    if all_finite(decision.price, decision.order) and bool(decision.price.min() > 0):
        return
    for what, values, wrong in (
        ("price: expected finite numbers above 0", decision.price, ~(decision.price > 0)),
        ("order: expected finite numbers", decision.order, torch.zeros_like(decision.order).bool()),
    ):
        _refuse(InputError, what, values, wrong | ~values.isfinite(), state, market)


def refuse_demand(demand: Tensor, state: State, market: Market) -> None:
    """Refuses demand (B, S, I) that is no finite number.

    Raises:
        UnplayableError: says of which series in which period.
    """
    if not all_finite(demand):
        _refuse(UnplayableError, "demand: expected finite numbers", demand, ~demand.isfinite(), state, market)


def refuse_outcome(outcome: Outcome, state: State, market: Market) -> None:
    """Refuses a period whose profit, value of stock, disagreement or distance from support is not finite.

    Every line of the accounts and all stock go into profit: it is finite only where they are.

    Raises:
        InputError: says of which series in which period.
    """
    told = {
        "profit": outcome.profit,
        "disagreement": outcome.disagreement,
        "off_support": outcome.off_support,
        "ending_value": outcome.ending_value,
    }
    if all_finite(*told.values()):
        return
    for name, values in told.items():
        what = f"{name}: expected finite numbers; prices, orders or stock are too large"
        _refuse(InputError, what, values, ~values.isfinite(), state, market)


def refuse_non_finite(values: Mapping[str, Tensor], where: str) -> None:
    """Refuses results that are no finite numbers; a GPU's and compiled code's are looked at here first.

    Raises:
        UnplayableError: says which result it is, and ``where``.
    """
    for name, value in values.items():
        if not all_finite(value):
            raise UnplayableError(
                f"{name}: expected finite numbers, found {float(value[~value.isfinite()][0])} {where}"
            )


def _refuse(
    kind: type[Exception], what: str, values: Tensor, wrong: Tensor, state: State, market: Market
) -> None:
    """Raises ``kind`` for the first series of ``values`` (B, S, I) that is ``wrong`` (B, S, I), if one is."""
    if not bool(wrong.any()):
        return
    slot, place, item = wrong.nonzero()[0].tolist()
    raise kind(
        f"{what}, found {float(values[slot, place, item])} in period {int(state.age[slot]) + 1} of the"
        f" episode, location {market.locations[place]}, item {market.items[item]}"
    )
