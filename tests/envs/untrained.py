"""A learned market that learned nothing: random weights after a made-up history, there at once."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from small_markets import make_market

from mercato.envs.economics import Economics
from mercato.envs.market import Market
from mercato.forecasters.features.history import AHEAD, History
from mercato.forecasters.features.past import Past
from mercato.forecasters.identification.elasticity import Elasticities
from mercato.forecasters.identification.substitution import chosen
from mercato.forecasters.model import DemandModel, FitSettings
from mercato.forecasters.network.base import Base
from mercato.forecasters.network.demand_network import Seen, demand_network
from mercato.forecasters.network.trunk import TrunkSettings
from mercato.forecasters.response.choice import Choice
from mercato.forecasters.response.price_response import PriceResponse
from mercato.forecasters.simulation.learned import LearnedDemand
from mercato.forecasters.statistics.common_shocks import CommonShocks

_MEMBERS = 2
_SHARED = (
    "own",
    "own_lo",
    "own_hi",
    "own_error",
    "choice",
    "promo",
    "curve",
    "chain",
    "joint",
    "sway",
    "carryover",
)


def _choice(units: torch.Tensor, pairs: torch.Tensor) -> Choice:
    """Two forms, of shares and of pairs, over items of two categories."""
    part = torch.linspace(0.3, 0.7, len(pairs))
    shares = Choice.of(
        torch.arange(len(pairs)) % 2,
        units,
        torch.stack([1 - part, part]),
        torch.tensor([0.4, 0.2]),
        torch.tensor(0.3),
        torch.tensor([1.0, 2.0]),
    )
    shares = replace(shares, diversion_error=torch.full((1, 2), 0.05))
    return chosen([shares, replace(shares.apart(), pairs=pairs.unsqueeze(0))], (0.7, 0.3))


def untrained_market(
    places: int = 3,
    goods: int = 4,
    *,
    weeks: int = 40,
    mean: float = 10.0,
    trunk: TrunkSettings = TrunkSettings(width=16, window=8),
    economics: Economics = Economics(),
    seed: int = 0,
) -> Market:
    """Prices at 2, demand around ``mean``; the numbers come from NumPy, whose streams do not change."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return torch.from_numpy(rng.normal(0, scale, shape)).float()

    shape = (weeks, places, goods)
    year = torch.arange(weeks + AHEAD) * (2 * math.pi / 52)
    harmonic = torch.stack([year.sin(), year.cos()], -1).view(-1, 1, 1, 2).expand(-1, places, goods, 2)
    units = torch.from_numpy(rng.poisson(mean, shape)).float()
    history = History(
        units=units,
        demand=units,
        known=torch.ones(shape, dtype=torch.bool),
        censored=torch.zeros(shape),
        listed=torch.ones(weeks + AHEAD, places, goods, dtype=torch.bool),
        log_price=math.log(2) + normal(*shape, scale=0.1),
        promo=torch.zeros(*shape, 0),
        instrument=torch.zeros(*shape, 0),
        ahead=harmonic,
        static=normal(places, goods, 1),
        distance=torch.from_numpy(np.abs(np.subtract.outer(np.arange(places), np.arange(places)))).float(),
        grain=torch.ones(goods),
    )
    own = -2 - normal(places, goods).abs()
    none = torch.zeros(goods)
    response = PriceResponse(
        pivot=torch.full((places, goods), math.log(2)),
        own=own,
        own_lo=own - 0.5,
        own_hi=own + 0.5,
        own_error=none + 0.1,
        choice=_choice(normal(places, goods).exp(), normal(goods, goods, scale=0.05).fill_diagonal_(0)),
        curve=none + 0.2,
        chain=none,
        joint=torch.zeros(goods, 0),
        sway=torch.zeros(goods, 2),
        carryover=normal(goods, 2, scale=0.05),
        promo=torch.zeros(goods, 0),
        promo_level=torch.zeros(goods, 0),
        promo_slope=torch.zeros(goods, 0),
    )
    features = Past.none(units[0]).features().shape[-1]
    tokens = Seen(units[0], units[0] > 0, torch.zeros(places, goods, features), history.static).tokens()
    network = demand_network(tokens.shape[-1], 2 * _MEMBERS, places, goods, trunk)
    network.load_state_dict(
        {
            name: 0.3 * normal(*weight.shape) / weight.shape[-1] ** 0.5
            for name, weight in network.state_dict().items()
        }
    )
    base = Base(
        past=0.05 * normal(_MEMBERS, goods, features),
        ahead=0.1 * normal(_MEMBERS, goods, 2),
        place=torch.zeros(_MEMBERS, places, goods),
        log_r=torch.full((_MEMBERS, goods), 2.0),
    )
    model = DemandModel(
        locations=tuple(f"location {k + 1}" for k in range(places)),
        items=tuple(f"item {k + 1}" for k in range(goods)),
        network=network.eval(),
        response=response,
        level=torch.full((places, goods), math.log(mean)),
        reach=torch.tensor([[-9.0], [9.0]]).expand(2, goods),
        base=base,
        informed=base,
        common_shocks=CommonShocks(torch.tensor(0.1), torch.tensor(0.1), none + 0.1),
        settings=FitSettings(trunk, members=_MEMBERS),
        elasticities=Elasticities(
            **{name: getattr(response, name) for name in _SHARED},
            price_spread=none + 0.1,
            with_instrument=None,
            without_instrument=None,
            gap=0.0,
            gap_error=0.0,
            confounded=False,
        ),
        overfit=1.0,
        validation_loss=0.0,
    )
    shop = make_market(places, goods, mean=mean, economics=economics, weeks=weeks)
    return shop.with_demand(LearnedDemand(model, history))
