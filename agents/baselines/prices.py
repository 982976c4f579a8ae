"""Price rules that a shop would use today."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...envs.engine.view import View
from ...envs.market import Market
from ...forecasters.errors import InputError
from ..policy import common, within

_LITTLE = 1e-3  # units a period


@dataclass(frozen=True)
class CostPlus:
    """Unit cost times (1 + markup), inside the supported range: p = c·(1 + m)."""

    markup: float | Tensor  # share of unit cost, m; a tensor (B, 1, 1) tries one a market

    def price(self, view: View) -> Tensor:
        price = within(view.market.terms.unit_cost * (1.0 + self.markup), view.market)
        return price.expand_as(view.state.on_hand)


@dataclass(frozen=True, eq=False)
class StaticPrice:
    """The same price for ever, one a series; of a part of the market that it was tuned for, those there.

    A series that it was not tuned for is charged ``elsewhere`` times its reference price.
    """

    prices: Tensor  # (S, I)
    locations: tuple[str, ...]  # (S,)
    items: tuple[str, ...]  # (I,)
    elsewhere: float | None = None  # None: there is no such series

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StaticPrice):
            return NotImplemented
        return (self.locations, self.items, self.elsewhere) == (
            other.locations,
            other.items,
            other.elsewhere,
        ) and torch.equal(self.prices, other.prices)

    def price(self, view: View) -> Tensor:
        market = view.market
        if (market.locations, market.items) == (self.locations, self.items):
            return self.prices.to(market.device).expand_as(view.state.on_hand)
        return common(self._of(market), market).expand_as(view.state.on_hand)

    def _of(self, market: Market) -> Tensor:
        """(S, I) prices of another market's series."""
        places, goods = (
            self._places("location", self.locations, market.locations),
            self._places("item", self.items, market.items),
        )
        known = self.prices.to(market.device)[places.clamp(min=0).unsqueeze(1), goods.clamp(min=0)]
        if self.elsewhere is None:
            return known
        tuned = (places >= 0).unsqueeze(1) & (goods >= 0)
        return torch.where(tuned.to(market.device), known, self.elsewhere * market.terms.reference_price)

    def _places(self, what: str, have: tuple[str, ...], want: tuple[str, ...]) -> Tensor:
        """Where each of ``want`` is in ``have``, -1 for nowhere."""
        place = {name: number for number, name in enumerate(have)}
        missing = [name for name in want if name not in place]
        if missing and self.elsewhere is None:
            raise InputError(
                f"static price: expected a {what} that it was tuned for, found {missing[0]!r}"
                f" and {len(missing) - 1} more"
            )
        return torch.tensor([place.get(name, -1) for name in want])


@dataclass(frozen=True)
class LoggedPrice:
    """What the shop charged on that date; its last prices once the history is over."""

    def price(self, view: View) -> Tensor:
        logged = view.market.logged_price
        if logged is None:
            raise InputError(
                f"logged prices: expected a market with a history, found none in {view.market.name!r}"
            )
        date = (view.state.start + view.state.age).clamp(max=logged.shape[0] - 1)
        return common(logged.index_select(0, date), view.market)


@dataclass(frozen=True)
class LastPrice:
    """Never touch the price."""

    def price(self, view: View) -> Tensor:
        return common(view.state.last_price, view.market)


@dataclass(frozen=True)
class Markdown:
    """A rule's prices, lowered where stock is long: log p = log p₀ - depth · clip(cover / usual - 1, 0, 1).

    The cover is on hand over expected demand a period. For what perishes, or has to go by a season's end.
    """

    pricing: CostPlus | StaticPrice  # p₀
    usual: float = 3.0  # periods of cover up to which the price stays
    depth: float = 0.2  # log price that comes off at twice the usual cover

    def price(self, view: View) -> Tensor:
        full = self.pricing.price(view)
        cover = view.state.on_hand / view.expected(full).clamp(min=_LITTLE)
        return within(full * (-self.depth * (cover / self.usual - 1.0).clamp(0.0, 1.0)).exp(), view.market)
