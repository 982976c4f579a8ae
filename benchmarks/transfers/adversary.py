"""The price list of which a fitted market promises most beyond what it earns from the true customers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mercato.agents.baselines.orders import BaseStock
from mercato.agents.evaluation import play
from mercato.agents.policy import Pair, within
from mercato.envs.engine.view import View

from .shops import Shop

CANDIDATES, ELITE, WIDEST = 48, 8, 0.4  # of a round; those it learns from; spread in log price at first


@dataclass(frozen=True)
class PriceList:
    """Prices that never change, other ones in each market of a batch."""

    prices: Tensor  # (B, S, I) or (S, I)

    def price(self, view: View) -> Tensor:
        return within(self.prices, view.market).expand_as(view.state.on_hand)


@dataclass(frozen=True)
class Search:
    """Cross-entropy search (Rubinstein 1999) over one log price multiple an item."""

    rounds: int = 5
    horizon: int = 26

    def exploit(self, shop: Shop, seed: int) -> Pair:
        """The price list of the largest promise less profit, before the same customers."""
        market, draw = shop.fitted, torch.Generator().manual_seed(seed)
        mean, spread = torch.zeros(market.shape[1]), torch.full((market.shape[1],), WIDEST)
        best, most = mean, float("-inf")
        for _ in range(self.rounds):
            tried = mean + spread * torch.randn(CANDIDATES, market.shape[1], generator=draw)
            gap = self._gaps(shop, tried, seed)
            first = gap.argsort(descending=True)[:ELITE]
            mean, spread = tried[first].mean(0), tried[first].std(0).clamp(min=0.02)
            if float(gap[first[0]]) > most:
                best, most = tried[first[0]], float(gap[first[0]])
        return Pair("adversary", PriceList(market.terms.reference_price * best.exp()), BaseStock())

    def _gaps(self, shop: Shop, tried: Tensor, seed: int) -> Tensor:
        """(K,) profit in the fitted market less profit in the true one, for log multiples (K, I)."""
        prices = shop.fitted.terms.reference_price * tried.exp().unsqueeze(1)
        policy, episodes = Pair("trial", PriceList(prices), BaseStock()), torch.zeros(len(tried)).long()
        promised, earned = (
            play(market, policy, episodes, self.horizon, seed)["profit"]
            for market in (shop.fitted, shop.true)
        )
        return promised - earned


QUICK = Search(rounds=2, horizon=13)
