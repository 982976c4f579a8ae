"""Price rules that a shop would use today."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...envs.engine.view import View
from ...forecasters.errors import InputError
from ...forecasters.tensors import Cut
from ..policy import common, within


@dataclass(frozen=True)
class CostPlus:
    """Unit cost times (1 + markup), inside the supported range: p = c·(1 + m)."""

    markup: float | Tensor  # share of unit cost, m; a tensor (B, 1, 1) tries one a market

    def price(self, view: View) -> Tensor:
        price = within(view.market.terms.unit_cost * (1.0 + self.markup), view.market)
        return price.expand_as(view.state.on_hand)


@dataclass(frozen=True)
class StaticPrice:
    """The same price for ever, one a series; of a part of the market that it was tuned for, those there."""

    prices: Tensor  # (S, I)
    locations: tuple[str, ...]  # (S,)
    items: tuple[str, ...]  # (I,)

    def price(self, view: View) -> Tensor:
        market = view.market
        for what, have, want in (
            ("location", self.locations, market.locations),
            ("item", self.items, market.items),
        ):
            if missing := sorted(set(want) - set(have)):
                raise InputError(
                    f"static price: expected a {what} that it was tuned for, found {missing[0]!r}"
                    f" and {len(missing) - 1} more"
                )
        if (market.locations, market.items) == (self.locations, self.items):
            return self.prices.expand_as(view.state.on_hand)
        cut = Cut.of(self.locations, self.items, market.locations, market.items, self.prices.device)
        return cut.tensor(self.prices, "SI").expand_as(view.state.on_hand)


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
