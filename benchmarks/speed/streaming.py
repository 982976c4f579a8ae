"""A market that is too large to play at once: 1,000 locations × 1,000 items, part after part."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import islice

import torch

from mercato.envs.engine.running import as_written
from mercato.envs.market import Market
from mercato.envs.processes import Geometric
from mercato.envs.sub_markets import sub_markets
from mercato.forecasters.simulation.learned import LearnedDemand
from mercato.forecasters.tensors.cut import Cut

from .engine import Row
from .markets import closed_form
from .plan import Plan
from .play import Game
from .timing import finish, threads

_PERIODS = 4  # played of each part


def streamed(small: Market, plan: Plan, device: torch.device | str = "cpu") -> list[Row]:
    """Series-steps a second over the parts, what they take to begin included, and what the whole would take.

    Closed-form demand is played whole. Of a learned market the first parts are, since before its customers
    can be met the Transformer reads their history, which takes as long as playing it.
    """
    places, goods = plan.streamed
    markets = {
        "closed form": (closed_form(Geometric(), places, goods), None),
        "small Transformer": (enlarged(small, places, goods), plan.parts),
    }
    with threads(plan.threads):
        return [
            {"name": f"{name}, {places:,} × {goods:,}", **_played(market, parts, plan.part, device)}
            for name, (market, parts) in markets.items()
        ]


def _played(market: Market, parts: int | None, most: int, device: torch.device | str) -> Row:
    begun, played, seconds, stepping = 0, 0, 0.0, 0.0
    for part in islice(sub_markets(market, most), parts):
        began = time.perf_counter()
        game = Game(part.to(device), 1, as_written)
        ready = time.perf_counter()
        for _ in range(_PERIODS):
            game()
        finish(device)
        ended = time.perf_counter()
        begun, played = begun + 1, played + game.count
        seconds, stepping = seconds + ended - began, stepping + ended - ready
    whole = market.shape[0] * market.shape[1]
    return {
        "series": whole,
        "parts": begun,
        "played": played,
        "rate": played * _PERIODS / stepping,
        "seconds": seconds,
        "whole": seconds * whole / played,
    }


def enlarged(market: Market, places: int, goods: int) -> Market:
    """A learned market made larger by repeating its locations and items under new names."""
    demand = market.demand
    assert isinstance(demand, LearnedDemand)
    some, several = market.shape
    cut = Cut(torch.arange(places) % some, torch.arange(goods) % several)
    locations = tuple(f"location {k + 1}" for k in range(places))
    items = tuple(f"item {k + 1}" for k in range(goods))
    model = replace(demand.model.select(cut), locations=locations, items=items)
    return replace(
        market,
        categories=tuple(f"category {k // several + 1}" for k in range(goods)),
        price_groups=locations,
        terms=market.terms.select(cut),
        demand=LearnedDemand(model, demand.history.select(cut)),
        logged_price=None,
    )
