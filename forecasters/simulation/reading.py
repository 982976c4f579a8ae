"""What a learned market reads of a history: checked against the table it was fitted on, then in one pass."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ..errors import InputError
from ..features import History, Past, build_history, scan
from ..panel.sales_panel import SalesPanel
from ..response import PriceResponse, adjusted_history, history_context


@dataclass(frozen=True)
class Reading:
    """What the history holds before each period, as the model reads it."""

    past: Past  # rows 0 … T
    features: Tensor  # (T + 1, S, I, F) of the past
    effect: Tensor  # (T, S, I) of the prices and promotions that were charged, and of steps since
    effects: Tensor  # (T + 1, S, I, 2) carryover of past own price effects at the periods 0 … T


@torch.no_grad()
def read_history(history: History, response: PriceResponse, level: Tensor) -> Reading:
    """The reading of a history by customers of this response, around levels (S, I)."""
    context = history_context(history, response)
    effect = response.effect(history.log_price, history.promo, context.until(history.periods)) + history.steps
    past = scan(adjusted_history(history, level, effect), history.known)
    summary = Past(*(torch.stack([getattr(p, f.name) for p in past]) for f in fields(Past)))
    assert context.carryover is not None
    return Reading(summary, summary.features(context.listed), effect, context.carryover)


def later_history(
    panel: SalesPanel,
    locations: tuple[str, ...],
    items: tuple[str, ...],
    before: History,
    fitted: int | None,
) -> History:
    """The history of a later table of a market's locations and items, whose own table had ``before``.

    Raises:
        InputError: the panel lacks some of them, or has other columns.
    """
    for what, have, want in (("location", panel.locations, locations), ("item", panel.items, items)):
        if missing := sorted(set(want) - set(have)):
            raise InputError(
                f"the panel lacks {len(missing)} {what}(s) that the market was fitted on,"
                f" first {missing[0]!r}"
            )
    panel = panel.select(locations, items)
    if panel.locations != locations or panel.items != items:
        raise InputError("the panel lists locations or items in another order than the market's own table")
    history = build_history(panel, fitted)
    for what, columns in (
        ("decision-linked columns", "promo"),
        ("exogenous columns", "exogenous"),
        ("static columns", "static"),
    ):
        have_n, want_n = (getattr(one, columns).shape[-1] for one in (history, before))
        if have_n != want_n:
            raise InputError(f"the panel has {have_n} {what}, the market was fitted with {want_n}")
    return history
