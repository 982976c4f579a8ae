"""What the engine passes around: frozen dataclasses of tensors, ordered (market, location, item)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ...forecasters.customers import CustomerAction
from ...forecasters.tensors import Cut

_STOCK_AXES = {
    **dict.fromkeys(("on_hand", "backorders", "last_price", "last_sales", "since_change"), "BSI"),
    **dict.fromkeys(("cohorts", "pipeline"), "BKSI"),
}


@dataclass(frozen=True)
class State:
    """A batch of markets as the agent meets them: the order due now has arrived, nothing is decided."""

    on_hand: Tensor  # (B, S, I) units in stock, >= 0
    cohorts: Tensor  # (B, A, S, I) of these, slot k to be sold in k more periods; A = 0 without a shelf life
    pipeline: Tensor  # (B, L, S, I) units ordered, not yet arrived; slot k arrives k + 1 periods from now
    backorders: Tensor  # (B, S, I) units owed, >= 0; always 0 where unmet demand is lost
    last_price: Tensor  # (B, S, I) price of the previous period
    last_sales: Tensor  # (B, S, I) sales of the previous period
    since_change: Tensor  # (B, S, I) int64 periods since the price last changed
    halted: Tensor  # (B,) bool the episode was ended early, by a ``Halt``
    start: Tensor  # (B,) int64 calendar index at which the episode began
    age: Tensor  # (B,) int64 periods played in this episode; the calendar index is start + age
    seed: Tensor  # (B,) int64 noise key: seed
    slot: Tensor  # (B,) int64 noise key: market slot
    episode: Tensor  # (B,) int64 noise key: episode number in the slot
    demand: Any  # state of the demand process, market axis first

    def select(self, cut: Cut) -> State:
        """What of it is of some locations and items, where the demand's state knows how to do the same."""
        return replace(cut.record(self, _STOCK_AXES), demand=self.demand.select(cut))


@dataclass(frozen=True)
class Decision:
    """What a policy decides for one period, in natural units."""

    price: Tensor  # (B, S, I) price a unit
    order: Tensor  # (B, S, I) units ordered now, >= 0
    customers: CustomerAction | None = None  # what is shown and sent to those who are known; None: nothing


@dataclass(frozen=True)
class Outcome:
    """What one period brought; every field (B, S, I), money in the panel's currency."""

    price: Tensor  # price charged, after the price rules
    ordered: Tensor  # units ordered, after capacity
    demand: Tensor  # units wanted
    sales: Tensor  # units sold from stock to this period's customers
    lost: Tensor  # units wanted, neither sold nor backordered
    backordered: Tensor  # units newly owed
    served: Tensor  # units handed over for backorders of earlier periods
    wasted: Tensor  # units thrown away after sales: past their shelf life, or spoilt
    revenue: Tensor  # price x (sales + backordered): a backorder's revenue counts at demand
    purchase: Tensor  # unit cost x ordered
    ordering: Tensor  # fixed cost of placing an order
    holding: Tensor  # on ending stock
    shortage: Tensor  # on lost and owed units
    price_change: Tensor  # cost of changing the price
    waste: Tensor  # cost of throwing away
    profit: Tensor  # revenue less all costs
    write_off: Tensor  # what stock left is worth less than its cost as the season ends; 0 before
    ending_value: Tensor  # inventory position after this period at unit cost, less the write-off
    disagreement: Tensor  # standard deviation of log mean demand at this price: how unsure the model is
    off_support: Tensor  # log distance of the price from the supported range, 0 inside
