"""The markets that are timed: closed-form demand, a stated small Transformer, and the one that demo fits."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from mercato.app.run import RunSettings
from mercato.envs.economics import Economics
from mercato.envs.market import Market, Terms
from mercato.envs.processes import Counts, Independent
from mercato.envs.store import fit_market, fitted_market
from mercato.envs.structural.draw import Size
from mercato.envs.structural.reference import ROLES, make_reference
from mercato.forecasters.features.history import History, build_history
from mercato.forecasters.identification.elasticity import Elasticities
from mercato.forecasters.identification.substitution import chosen
from mercato.forecasters.model import DemandModel, FitSettings
from mercato.forecasters.network.base import Base
from mercato.forecasters.network.demand_network import TrunkNetwork, demand_network, history_tokens
from mercato.forecasters.network.trunk import TrunkSettings
from mercato.forecasters.panel import SalesPanel, read_panel
from mercato.forecasters.response.choice import Choice
from mercato.forecasters.response.price_response import PriceResponse
from mercato.forecasters.sources import SOURCES, SourceUnavailable, cache_folder
from mercato.forecasters.statistics.common_shocks import CommonShocks

SMALL = TrunkSettings(width=32, blocks=2, window=32)
"""The small Transformer that figures are stated for."""
WEEKS = 40  # of the history that a market with random weights continues


def closed_form(counts: Counts, places: int, goods: int) -> Market:
    """A shop whose demand is independent of everything but its own and its neighbours' prices."""
    shape, weeks = (places, goods), 104
    rng = torch.Generator().manual_seed(0)
    base = 2 + 28 * torch.rand(shape, generator=rng)
    reference = 1 + 4 * torch.rand(shape, generator=rng)
    elasticity = torch.full((goods, goods), 0.5 / goods).fill_diagonal_(-2.5)
    demand = Independent(counts, base, reference_price=reference, elasticity=elasticity, periods=weeks)
    return Market(
        name="closed form",
        dates=np.datetime64("2024-01-01") + 7 * np.arange(weeks),
        frequency="W",
        categories=("all",) * goods,
        price_groups=demand.locations,
        economics=Economics(),
        terms=Terms(reference, 0.7 * reference, 1.3 * reference, 0.7 * reference, base),
        demand=demand,
    )


def untrained(places: int, goods: int, trunk: TrunkSettings = SMALL) -> Market:
    """A reference panel's market with random weights in the network: as fast as if they were learned.

    What its stock-outs hid, which would have to be estimated first, is left out of the history.
    """
    panel = without_stock_outs(places, goods)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return fitted_market(_random_model(panel, FitSettings(trunk=trunk)), panel, Economics(), "untrained")


def without_stock_outs(places: int, goods: int) -> SalesPanel:
    """A reference panel as if nothing had run out."""
    table, _ = make_reference(seed=0, size=Size(max(places, 2), goods, WEEKS))
    panel = read_panel(table, roles=ROLES)
    panel = panel.select(panel.locations[:places], panel.items)
    return replace(panel, censored=np.zeros_like(panel.censored))


def demo_market() -> tuple[Market, str]:
    """The market that ``mercato demo`` fits, and what it is of; takes the minutes that the fit takes."""
    try:
        panel, name = SOURCES["orange-juice"].panel(cache_folder()), "orange juice"
    except SourceUnavailable:
        panel, name = read_panel(make_reference(seed=0)[0], roles=ROLES), "reference"
    with TemporaryDirectory() as scratch:
        return fit_market(panel, Economics(), Path(scratch) / "market", RunSettings().fit, seed=0), name


def copies(market: Market, series: int) -> int:
    """Markets side by side that make at least ``series`` series."""
    places, goods = market.shape
    return ceil(series / (places * goods))


def _random_model(panel: SalesPanel, settings: FitSettings) -> DemandModel:
    history = build_history(panel)
    response = _steady_response(history)
    places, goods = history.static.shape[:2]
    members, level = settings.members, (history.demand + 0.5).log().mean(0)
    features = history_tokens(history, torch.zeros_like(history.units)).shape[-1]
    network = demand_network(features, 2 * members, places, goods, settings.trunk)
    if isinstance(network, TrunkNetwork):
        torch.nn.init.normal_(network.head.weight, std=0.01)
    base = Base(
        past=torch.full((members, goods, 12), 0.02),
        ahead=torch.full((members, goods, history.ahead.shape[-1]), 0.02),
        place=torch.zeros(members, places, goods),
        log_r=torch.full((members, goods), 1.0),
    )
    shocks = CommonShocks(torch.tensor(0.1), torch.tensor(0.1), torch.full((goods,), 0.1))
    reach, found = torch.tensor([[-9.0], [9.0]]).expand(2, goods), _found(response)
    learned = (network, response, level, reach, base, base, shocks)
    return DemandModel(panel.locations, panel.items, *learned, settings, found, 0.0, 0.0)


def _steady_response(history: History) -> PriceResponse:
    """Every part of a response at work, with values of an ordinary size."""
    pivot, promos = history.log_price.median(0).values, history.promo.shape[-1]
    goods = pivot.shape[-1]
    return PriceResponse(
        pivot=pivot,
        own=torch.full_like(pivot, -2.5),
        own_lo=torch.full_like(pivot, -3.0),
        own_hi=torch.full_like(pivot, -2.0),
        own_error=torch.full((goods,), 0.1),
        choice=_steady_choice(pivot),
        curve=torch.full((goods,), 0.2),
        chain=torch.full((goods,), 0.1),
        joint=torch.full((goods, promos), 0.05),
        sway=torch.full((goods, 2), 0.05),
        carryover=torch.full((goods, 2), -0.05),
        promo=torch.full((goods, promos), 0.3),
        promo_level=torch.full((goods, promos), -2.0),
        promo_slope=torch.full((goods, promos), -5.0),
    )


def _steady_choice(pivot: torch.Tensor) -> Choice:
    """Both forms at work, one category."""
    goods = pivot.shape[-1]
    part = torch.linspace(0.3, 0.7, goods)
    shares = Choice.of(
        torch.zeros(goods, dtype=torch.int64),
        torch.ones_like(pivot),
        torch.stack([1 - part, part]),
        torch.tensor([0.3]),
        torch.tensor(0.2),
        torch.tensor([1.0, 2.0]),
    )
    shares = replace(
        shares,
        diversion_error=torch.full((1, 1), 0.05),
        pairs=torch.full((goods, goods), 0.01 / goods).fill_diagonal_(0).unsqueeze(0),
    )
    return chosen([shares, shares.apart()], (0.7, 0.3))


def _found(response: PriceResponse) -> Elasticities:
    """The same as estimates, which a simulation does not ask for."""
    shared = ("own", "own_lo", "own_hi", "own_error", "choice", "promo", "curve", "chain", "joint", "sway")
    return Elasticities(
        **{name: getattr(response, name) for name in (*shared, "carryover")},
        price_spread=torch.full_like(response.curve, 0.1),
        with_instrument=None,
        without_instrument=None,
        gap=0.0,
        gap_error=0.0,
        confounded=False,
    )
