"""Drawing a market at random: who sells what, and how customers answer to prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...forecasters.errors import InputError
from .attraction import Attraction, AttractionDemand, calibrated, open_attraction
from .log_linear import LogLinear, LogLinearDemand, open_market
from .nested_logit import NestedLogit, NestedLogitDemand, from_shares, open_nested_logit
from .retailer import history_key
from .shocks import Shocks
from .shop import Shop

FIRST_DAY = "2022-01-03"
_REGIONS = 3
_LIKENESS = 0.7  # λ of the nested logit
_BOUGHT = 0.3  # share of its customers who buy anything in an ordinary week
_SEGMENTS = ((0.6, 0.5), (0.4, 1.8))  # of attraction demand: share of customers, how much they mind prices
_LIKING = 0.5  # standard deviation of what a segment sees in an item beyond the others
_FELT_LEAST = 1.7  # a shop does not mark up beyond what this elasticity calls for


@dataclass(frozen=True)
class Size:
    """How large a market and how long its history."""

    locations: int = 12
    items: int = 6
    weeks: int = 130  # periods: in a daily market, days

    def __post_init__(self) -> None:
        for name, least in (("locations", 2), ("items", 2), ("weeks", 2)):
            if getattr(self, name) < least:
                raise InputError(f"{name}: expected at least {least}, found {getattr(self, name)}")


@dataclass(frozen=True)
class Minds:
    """How much customers mind the prices of some items."""

    own: tuple[float, float] = (-3.4, -2.1)  # range of an item's own elasticity, averaged over locations
    spread: float = 0.38  # standard deviation of own elasticity between locations, every item
    widest: float = 0.75  # no location is further than this from its item's average


@dataclass(frozen=True)
class Taste:
    """What is common to all markets drawn of one kind."""

    minds: tuple[Minds, ...] = (Minds(),)  # items fall to them in equal parts
    log_units: float = 3.3  # log mean units a week of an ordinary item
    swing: float = 0.0  # share by which own elasticity falls at the season's height and rises at its low
    shocks: Shocks = Shocks()


@dataclass(frozen=True)
class _Places:
    """Locations: what they are like."""

    names: tuple[str, ...]
    region: np.ndarray  # (S,) int64
    income: np.ndarray  # (S,) thousands a year
    coordinates: np.ndarray  # (S, 2)

    @property
    def wealth(self) -> np.ndarray:
        """(S,) income in standard deviations from its mean."""
        return (self.income - self.income.mean()) / self.income.std()


def draw_log_linear(size: Size, seed: int, taste: Taste = Taste()) -> LogLinearDemand:
    """A log-linear market without history."""
    rng = np.random.default_rng([seed, 0])
    scene = _draw_scene(size, taste, rng)
    cross = _draw_cross(scene, rng)
    season = _draw_season(scene.categories, rng)
    parameters = LogLinear(
        level=_tensor(scene.level),
        own=_tensor(scene.own),
        cross=_tensor(cross),
        season=_tensor(season),
        swing=_tensor(-taste.swing * _heights(season, scene.categories)),
        lift=_tensor(rng.uniform(0.15, 0.35, size.items)),
        dispersion=_tensor(rng.uniform(0.02, 0.06, size.items)),
        shocks=taste.shocks,
    )
    return open_market(scene.shop, parameters, history_key(seed, -1))


def draw_nested_logit(size: Size, seed: int, taste: Taste = Taste()) -> NestedLogitDemand:
    """A nested-logit market without history; own elasticities at reference prices are those of ``taste``."""
    rng = np.random.default_rng([seed, 0])
    scene = _draw_scene(size, taste, rng)
    nest = _tensor(np.eye(scene.categories.max() + 1)[scene.categories])
    traffic, value, slope = from_shares(
        _tensor(scene.level).exp(), _tensor(scene.own), nest, likeness=_LIKENESS, bought=_BOUGHT
    )
    parameters = NestedLogit(
        menu=scene.shop.items,
        nest=nest,
        likeness=_LIKENESS,
        traffic=traffic,
        value=value,
        slope=slope,
        season=_tensor(_draw_season(scene.categories, rng)),
        lift=_tensor(rng.uniform(0.1, 0.25, size.items)),
        dispersion=_tensor(rng.uniform(0.02, 0.06, size.items)),
        shocks=taste.shocks,
    )
    return open_nested_logit(scene.shop, parameters, history_key(seed, -1))


def draw_attraction(size: Size, seed: int, taste: Taste = Taste()) -> AttractionDemand:
    """A market of two segments, no history; own elasticities at reference prices are those of ``taste``."""
    rng = np.random.default_rng([seed, 0])
    scene = _draw_scene(size, taste, rng)
    share, minding = (_tensor(np.array(part)) for part in zip(*_SEGMENTS, strict=True))
    liked = _tensor(rng.normal(0, _LIKING, (len(share), 1, size.items))).expand(-1, size.locations, -1)
    own = _tensor(scene.own)
    drawn = Attraction(
        menu=scene.shop.items,
        nest=_tensor(np.eye(scene.categories.max() + 1)[scene.categories]),
        likeness=_LIKENESS,
        segment=share,
        traffic=torch.zeros(size.locations),
        value=liked,
        slope=-own * minding.view(-1, 1, 1),
        season=_tensor(_draw_season(scene.categories, rng)),
        lift=_tensor(rng.uniform(0.1, 0.25, size.items)),
        dispersion=_tensor(rng.uniform(0.02, 0.06, size.items)),
        shocks=taste.shocks,
    )
    parameters = calibrated(drawn, _tensor(scene.level).exp(), own, _BOUGHT)
    return open_attraction(scene.shop, parameters, history_key(seed, -1))


@dataclass(frozen=True)
class _Scene:
    """Who sells what to whom, at reference prices."""

    places: _Places
    categories: np.ndarray  # (I,) int64
    item_own: np.ndarray  # (I,) mean of locations
    own: np.ndarray  # (S, I)
    shop: Shop
    level: np.ndarray  # (S, I) log units of an ordinary week


def _draw_scene(size: Size, taste: Taste, rng: np.random.Generator) -> _Scene:
    places = _draw_places(size.locations, rng)
    categories = np.arange(size.items) * max(1, size.items // 3) // size.items
    minds = _draw_minds(taste, size.items, rng)
    own = _draw_own(places, minds, rng)
    shop = _draw_shop(places, categories, minds.own, rng)
    level = (
        rng.normal(taste.log_units, 0.45, size.items)
        + rng.normal(0, 0.25, (size.locations, 1))
        + 0.1 * rng.normal(size=own.shape)
    )
    return _Scene(places, categories, minds.own, own, shop, level)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32)


def zone_of(count: int) -> np.ndarray:
    """(S,) int64 region of each of so many locations."""
    return np.arange(count) % _REGIONS


def _draw_places(count: int, rng: np.random.Generator) -> _Places:
    region = zone_of(count)
    centres = np.array([51.0, 9.0]) + rng.normal(0, 1.5, (_REGIONS, 2))
    return _Places(
        names=tuple(f"store-{i + 1:02d}" for i in range(count)),
        region=region,
        income=np.clip(38 + 4 * rng.normal(size=_REGIONS)[region] + 8 * rng.normal(size=count), 15, 80),
        coordinates=centres[region] + rng.normal(0, 0.2, (count, 2)),
    )


@dataclass(frozen=True)
class _ItemMinds:
    """How much customers mind the price of each item: arrays (I,)."""

    own: np.ndarray
    spread: np.ndarray
    widest: np.ndarray


def _draw_minds(taste: Taste, items: int, rng: np.random.Generator) -> _ItemMinds:
    order = rng.permutation(items)
    parts = np.array_split(np.arange(items), len(taste.minds))
    own = [np.linspace(*mind.own, len(part)) for mind, part in zip(taste.minds, parts, strict=True)]
    which = np.repeat(np.arange(len(parts)), [len(part) for part in parts])[order]
    spread, widest = (
        np.array([getattr(m, name) for m in taste.minds])[which] for name in ("spread", "widest")
    )
    return _ItemMinds(np.concatenate(own)[order], spread, widest)


def _draw_own(places: _Places, minds: _ItemMinds, rng: np.random.Generator) -> np.ndarray:
    """(S, I) own elasticities: richer places mind prices less; the rest is by region and by chance."""
    shape = (len(places.names), len(minds.own))
    region = rng.normal(0, 0.15, (_REGIONS, shape[1]))[places.region]
    apart = 0.25 * places.wealth[:, None] + region + rng.normal(0, 0.18, shape)
    apart = apart - apart.mean(0)
    apart = np.clip(minds.spread * apart / apart.std(0), -minds.widest, minds.widest)
    return minds.own + apart - apart.mean(0)


def _draw_cross(scene: _Scene, rng: np.random.Generator) -> np.ndarray:
    """(S, I, I): substitutes within a category, together 15 to 30% of the own elasticity; by region."""
    categories, item_own = scene.categories, scene.item_own
    items = len(item_own)
    kin = (categories[:, None] == categories) & ~np.eye(items, dtype=bool)
    weight = kin * rng.uniform(0.3, 1.0, (items, items))
    weight = weight / np.maximum(weight.sum(1, keepdims=True), 1e-9)
    cross = weight * (rng.uniform(0.15, 0.3, items) * -item_own)[:, None]
    by_region = rng.uniform(0.8, 1.2, (_REGIONS, items, items))
    return (cross * by_region)[scene.places.region]


def _draw_season(categories: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(I, 4) weights of the yearly and half-yearly harmonics; a category's items peak weeks apart."""
    items = len(categories)
    peak = rng.uniform(0, 2 * np.pi, categories.max() + 1)[categories] + rng.normal(0, 0.3, items)
    year, half = rng.uniform(0.3, 0.5, items), rng.uniform(0.05, 0.12, items)
    return np.stack(
        [year * np.sin(peak), year * np.cos(peak), half * np.sin(2 * peak), half * np.cos(2 * peak)], 1
    )


def _heights(season: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """(I, 4) weights of a harmonic from −1 to 1 that is highest when the category's year is."""
    kin = categories[:, None] == categories
    year = kin @ season[:, :2]
    return np.pad(year / np.linalg.norm(year, axis=1, keepdims=True), ((0, 0), (0, 2)))


def _draw_shop(
    places: _Places, categories: np.ndarray, item_own: np.ndarray, rng: np.random.Generator
) -> Shop:
    """Prices near what an average elasticity calls for, so that knowing the series' own is worth money."""
    items = len(item_own)
    price = rng.uniform(2.0, 12.0, items) * np.exp(rng.normal(0, 0.04, (len(places.names), items)))
    felt = np.maximum(
        -0.85 * item_own, _FELT_LEAST
    )  # substitutes of the same shop catch part of what an item loses
    markup = felt / (felt - 1) * np.exp(rng.normal(0, 0.08, items))
    return Shop(
        locations=places.names,
        items=tuple(f"item-{i + 1:02d}" for i in range(items)),
        categories=tuple(f"category-{k + 1}" for k in categories),
        income=_tensor(places.income),
        coordinates=_tensor(places.coordinates),
        reference_price=_tensor(price),
        unit_cost=_tensor(price / markup),
        first_day=FIRST_DAY,
    )
