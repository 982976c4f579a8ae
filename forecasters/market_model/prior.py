"""Markets drawn at random, to pre-train on: what shops may be like, before any table is seen.

A drawn panel has levels of items and locations, some told by attributes; shocks of the chain, of items, of
locations, of neighbourhoods and of single series that come and go (autoregressive) or stay; seasons, some by
zone; days of the week; trends; holidays; regular prices that drift, follow costs or follow demand
(confounding), all the time or when they are set anew; promotions of the chain, of zones or of single shops,
with their signs; own elasticities that differ by item and location, and substitution within a category
through its price index; visits and the like, which run ahead of sales; counts, thinned where stock ran out,
some of them wrong; assortments with holes, launches, openings and gaps.
Every law and size is itself drawn, so that no table is far from all of them (prior-data fitted networks:
Müller et al. 2022, arXiv 2112.10510). The structural families of ``envs`` are not among them: they stay
unseen, for tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .observed import Observed

_YEARS, _OFTEN = (365, 52, 12), (0.4, 0.5, 0.1)  # periods in a year, and how often they are so many
_COMMON = np.array([0, 0, 0, 1, 2, 4])  # exogenous columns, as often as they stand here
_ATTRIBUTES = np.array([0, 0, 1, 4, 10])  # of a location
_SIGNALS = np.array([0, 0, 0, 1, 2, 3])  # columns that are known only afterwards
_LEAST, _MOST = -8.0, 12.0  # log mean of a count


@dataclass(frozen=True)
class PriorSettings:
    """Largest size of a drawn panel."""

    locations: int = 24
    items: int = 14
    periods: tuple[int, int] = (70, 150)  # days or weeks
    months: tuple[int, int] = (36, 84)


@dataclass(frozen=True)
class _Scene:
    """What all parts of one draw share."""

    rng: np.random.Generator
    shape: tuple[int, int, int]  # periods, locations, items
    year: int  # periods: days, weeks or months
    category: np.ndarray  # (I,)
    zone: np.ndarray  # (S,)
    place: np.ndarray  # (S, 2) on a map
    attributes: np.ndarray  # (S, A) standard normal
    date: np.ndarray  # (T,) int64 periods since an arbitrary New Year

    @property
    def daily(self) -> bool:
        return self.year == 365

    @property
    def zones(self) -> int:
        return int(self.zone.max()) + 1

    def log_uniform(self, low: float, high: float, shape: tuple[int, ...] = ()) -> np.ndarray:
        return np.exp(self.rng.uniform(np.log(low), np.log(high), shape))

    def flip(self, chance: float) -> bool:
        return bool(self.rng.random() < chance)

    @property
    def distance(self) -> np.ndarray:
        """(S, S)."""
        return np.linalg.norm(self.place[:, None] - self.place, axis=-1)

    def moving(self, shape: tuple[int, int], low: float, high: float, stays: float = 0.0) -> np.ndarray:
        """(T, *shape) a first-order autoregression of a drawn persistence, of a size from low to high."""
        keep = self.rng.uniform(stays, 0.99 if stays else 0.97)
        noise = self.rng.normal(size=(self.shape[0], *shape))
        out, new = np.empty_like(noise), np.sqrt(1 - keep**2)
        out[0] = noise[0]
        for t in range(1, len(noise)):
            out[t] = keep * out[t - 1] + new * noise[t]
        return out * self.log_uniform(low, high)


@dataclass(frozen=True)
class _Offer:
    """Prices and promotions."""

    log_price: np.ndarray  # (T, S, I) over the item's usual one
    promo: np.ndarray  # (T, S, I, 2)


def draw(rng: np.random.Generator, settings: PriorSettings = PriorSettings()) -> Observed:
    """One panel."""
    scene = _scene(rng, settings)
    demand, exogenous = _demand(scene)
    offer = _offer(scene, demand)
    level = _level(scene)
    effect, signs, known = _response(scene, offer, level)
    mean = np.exp(np.clip(level + demand["all"] + exogenous["effect"] + effect + signs, _LEAST, _MOST))
    units, exposure = _counts(scene, mean)
    listed = _listed(scene)
    seen = listed & (rng.random((len(units), scene.shape[1], 1)) > (0.04 if scene.flip(0.3) else 0.0))
    columns = int(rng.choice(3, p=[0.3, 0.2, 0.5]))
    signals = _signals(scene, level + demand["all"] + exogenous["effect"])
    usual = rng.normal(0, 0.4, (1, 1, scene.shape[2])) + rng.normal(0, 0.03, (1, scene.shape[1], 1))
    return Observed(
        units=np.where(seen, units, np.nan),
        exposure=exposure,
        log_price=np.where(listed, usual + offer.log_price, np.nan),
        promo=offer.promo[..., :columns],
        exogenous=exogenous["columns"],
        effect=known,
        category=scene.category if scene.flip(0.7) else np.zeros_like(scene.category),
        year=scene.date / scene.year % 1.0,
        weekday=scene.date % 7 if scene.daily else None,
        periods_a_year=scene.year,
        grain=np.ones(scene.shape[2]),
        signals=signals,
        attributes=scene.attributes,
        distance=scene.distance / max(float(scene.distance.mean()), 1e-6) if scene.flip(0.5) else None,
    )


def _scene(rng: np.random.Generator, settings: PriorSettings) -> _Scene:
    def between(low: int, high: int) -> int:
        return int(np.exp(rng.uniform(np.log(low), np.log(high + 1))))

    places, goods = between(3, settings.locations), between(3, settings.items)
    year = int(rng.choice(_YEARS, p=_OFTEN))
    periods = int(rng.integers(*settings.months if year == 12 else settings.periods))
    categories, zones = int(rng.integers(1, max(2, goods // 3) + 1)), int(rng.integers(1, min(places, 4) + 1))
    zone = np.concatenate([np.arange(zones), rng.integers(0, zones, places - zones)])
    date = np.arange(periods) + int(rng.integers(0, year))
    place = rng.normal(size=(zones, 2))[zone] + rng.normal(size=(places, 2)) * rng.uniform(0.1, 0.8)
    attributes = rng.normal(size=(places, int(rng.choice(_ATTRIBUTES))))
    category = rng.integers(0, categories, goods)
    return _Scene(rng, (periods, places, goods), year, category, zone, place, attributes, date)


def _level(scene: _Scene) -> np.ndarray:
    """(1, S, I) log units of an ordinary period."""
    _, places, goods = scene.shape
    rng = scene.rng
    level = rng.uniform(-1.5, 6) + rng.normal(0, rng.uniform(0.1, 1), (1, 1, goods))
    size, told = rng.uniform(0.05, 0.8), scene.attributes @ rng.normal(size=scene.attributes.shape[1])
    share = rng.uniform(0, 1) if told.std() > 0 else 0.0  # of a location's level that its attributes tell
    told = told / max(float(told.std()), 1e-6)
    of_place = np.sqrt(share) * told + np.sqrt(1 - share) * rng.normal(size=places)
    level = level + size * of_place[None, :, None]
    return level + rng.normal(0, rng.uniform(0.02, 0.6), (1, places, goods))


def _demand(scene: _Scene) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Log demand beyond its level: of the chain, of places, and all (T, S, I); exogenous columns."""
    periods, places, goods = scene.shape
    rng, size = scene.rng, scene.log_uniform(0.3, 1.5)
    of_category, of_zone = scene.category, scene.zone
    categories = int(of_category.max()) + 1

    def moving(shape: tuple[int, int], low: float, high: float) -> np.ndarray:
        return scene.moving(shape, low, high) * size

    chain = moving((1, 1), 0.01, 0.15) + moving((1, goods), 0.03, 0.5) + moving((1, goods), 0.02, 0.2)
    if scene.flip(0.5 if scene.daily else 0.25):  # fashions, which last
        chain = chain + scene.moving((1, goods), 0.1, 0.7, stays=0.8)
    chain = chain + moving((1, categories), 0.01, 0.15)[:, :, of_category]
    place = moving((places, 1), 0.01, 0.15) + moving((scene.zones, 1), 0.005, 0.1)[:, of_zone]
    place = place + moving((places, categories), 0.005, 0.1)[:, :, of_category]
    near = np.exp(-((scene.distance / scene.distance.mean()) ** 2) * rng.uniform(1, 8))
    near = near / np.linalg.norm(near, axis=1, keepdims=True)  # sums of independent shocks keep their size
    place = place + np.einsum("sz,tzi->tsi", near, moving((places, categories), 0.01, 0.2))[:, :, of_category]
    series = moving((places, goods), 0.02, 0.25) + moving((places, goods), 0.01, 0.15)
    season = _season(scene)
    slope = rng.normal(0, 0.15, (1, 1, goods)) + rng.normal(0, 0.05, (1, places, 1))
    trend = np.linspace(-1, 1, periods)[:, None, None] * slope * scene.flip(0.5)
    sudden = (rng.random((periods, 1, 1)) < 0.04) * rng.normal(0, 0.3, (periods, 1, 1))
    everything = chain + place + series + season + trend + sudden + _shifts(scene)
    return {"chain": chain, "place": place, "season": season, "all": everything}, _exogenous(scene)


def _shifts(scene: _Scene) -> np.ndarray:
    """(T, S, I) levels that change once, of a few series or of items everywhere."""
    rng, (periods, places, goods) = scene.rng, scene.shape
    of_series, of_item = scene.flip(0.2) * rng.uniform(0, 0.2), scene.flip(0.2) * rng.uniform(0, 0.4)
    out = np.zeros(scene.shape)
    for often, wide in ((of_series, places), (of_item, 1)):
        size = (rng.random((wide, goods)) < often) * rng.normal(0, 0.6, (wide, goods))
        out = out + size * (np.arange(periods)[:, None, None] >= rng.integers(1, periods, (wide, goods)))
    return out


def _signals(scene: _Scene, wanted: np.ndarray) -> np.ndarray:
    """(T, S, I, B) visits, views, baskets: what demand comes to, of its own period and the one after."""
    rng, columns = scene.rng, []
    about = wanted - wanted.mean(0)
    for _ in range(int(rng.choice(_SIGNALS))):
        ahead = np.concatenate([about[1:], about[-1:]])
        early = rng.uniform(0, 1) * scene.flip(0.6)
        value = (1 - early) * about + early * ahead
        if scene.flip(0.5):  # of the location
            value = np.broadcast_to(value.mean(2, keepdims=True), scene.shape)
        value = scene.flip(0.8) * value + scene.log_uniform(0.05, 1) * rng.normal(size=scene.shape)
        columns.append(value / max(float(value.std()), 1e-6))
    return np.stack(columns, axis=-1) if columns else np.zeros((*scene.shape, 0))


def _season(scene: _Scene) -> np.ndarray:
    """(T, S, I) three harmonics of the year, common, by item and by zone; days of the week."""
    _, places, goods = scene.shape
    rng, out = scene.rng, np.zeros(scene.shape)
    size = float(scene.log_uniform(0.01, 0.6)) * scene.flip(0.8)
    for harmonic in (1, 2, 3):
        angle = (2 * np.pi * harmonic * scene.date / scene.year)[:, None, None]
        phase, by_zone = rng.uniform(0, 2 * np.pi, 2), rng.uniform(0, 2 * np.pi, (1, scene.zones, 1))
        common = np.cos(angle + phase[0]) * rng.normal(0.7, 0.5)
        by_item = np.cos(angle + phase[1]) * rng.normal(0, 0.4, (1, 1, goods))
        local = np.cos(angle + by_zone[:, scene.zone]) * rng.normal(0, 0.25)
        out = out + size / harmonic**1.2 * (common + by_item + local)
    if scene.daily:
        for shape, most in (((7, 1, 1), 0.5), ((7, places, 1), 0.2), ((7, 1, goods), 0.15)):
            out = out + rng.normal(0, scene.log_uniform(most / 10, most), shape)[scene.date % 7]
    return out


def _exogenous(scene: _Scene) -> dict[str, np.ndarray]:
    """Columns (T, S, I, X), some of which move demand, and their effect (T, S, I)."""
    periods, places, goods = scene.shape
    rng, columns, effect = scene.rng, [], np.zeros(scene.shape)
    for _ in range(int(rng.choice(_COMMON))):
        kind = rng.choice(3)
        if kind == 2:  # single days, such as holidays
            value = (rng.random((periods, 1, 1)) < scene.log_uniform(0.02, 0.15)) * np.ones((1, places, 1))
        else:
            value = scene.moving((1 if kind == 0 else places, 1), 1, 1) * np.ones((1, places, 1))
        weight = rng.normal(0, scene.log_uniform(0.02, 0.25)) * np.exp(rng.normal(0, 0.4, (1, 1, goods)))
        effect = effect + value * weight * np.where(rng.random((1, 1, goods)) < 0.1, -1, 1) * scene.flip(0.6)
        scaled = (value - value.mean()) / max(float(value.std()), 1e-6)
        columns.append(np.broadcast_to(scaled, scene.shape))
    stacked = np.stack(columns, axis=-1) if columns else np.zeros((*scene.shape, 0))
    return {"columns": stacked, "effect": effect}


def _offer(scene: _Scene, demand: dict[str, np.ndarray]) -> _Offer:
    """Regular prices and promotions."""
    rng, (periods, _, goods) = scene.rng, scene.shape
    changes = rng.random((periods, scene.zones, goods)) < scene.log_uniform(0.005, 0.4)
    steps = changes * rng.normal(0, scene.log_uniform(0.01, 0.2), changes.shape)
    regular = np.cumsum(steps, axis=0)[:, scene.zone] * scene.flip(0.85)
    regular = np.clip(regular - regular.mean(0), -0.7, 0.7)
    if scene.flip(0.6):  # whoever sets prices sees demand
        seen = (demand["chain"], demand["place"], demand["chain"] + demand["season"])[int(rng.choice(3))]
        seen = np.broadcast_to(seen, scene.shape)
        if scene.flip(0.7):  # when a price is set anew, and not before
            when = np.where(changes, np.arange(periods)[:, None, None], 0)
            latest = np.maximum.accumulate(when, axis=0)[:, scene.zone]
            seen = np.take_along_axis(seen, latest, axis=0)
        regular = regular + rng.normal(0, 0.25) * rng.uniform(0.2, 1) * np.clip(seen, -1.5, 1.5)
    on = _promotions(scene)
    depth = scene.log_uniform(0.05, 0.5, (1, 1, goods)) * np.exp(rng.normal(0, 0.3, (periods, 1, goods)))
    discount = on * depth * np.exp(rng.normal(0, 0.1, scene.shape))
    noise = rng.normal(0, scene.log_uniform(0.005, 0.06), scene.shape) * scene.flip(0.3)
    display = on * (rng.random(scene.shape) < rng.uniform(0.6, 1))
    flyer = on * (rng.random((periods, 1, goods)) < rng.uniform(0.2, 0.9))
    flyer = flyer * (rng.random(scene.shape) < rng.uniform(0.8, 1))
    return _Offer(np.clip(regular - discount + noise, -1.2, 1.0), np.stack([display, flyer], axis=-1))


def _promotions(scene: _Scene) -> np.ndarray:
    """(T, S, I) 0 or 1: spells of the chain, of zones or of single shops; rivals often take turns."""
    rng, (periods, places, goods) = scene.rng, scene.shape
    units, of_place = [
        (1, np.zeros(places, dtype=np.int64)),
        (scene.zones, scene.zone),
        (places, np.arange(places)),
    ][int(rng.choice(3, p=[0.55, 0.25, 0.2]))]
    often = np.clip(scene.log_uniform(0.04, 1.0) * np.exp(rng.normal(0, 0.5, goods)), 0.01, 0.85)
    stay, turns = rng.uniform(0.6, 0.93) if scene.daily else rng.uniform(0, 0.7), scene.flip(0.35)
    start = often * (1 - stay) / (1 - 0.8 * often)
    on, out = rng.random((units, goods)) < often, np.zeros((periods, units, goods))
    for t in range(periods):
        on = np.where(on, rng.random((units, goods)) < stay, rng.random((units, goods)) < start)
        for category in range(int(scene.category.max()) + 1 if turns else 0):
            rivals = np.flatnonzero(scene.category == category)
            if len(rivals) > 2:
                many = on[:, rivals].sum(1) > max(1, len(rivals) // 3)
                on[np.ix_(many, rivals)] &= rng.random((int(many.sum()), len(rivals))) < 0.5
        out[t] = on
    takes_part = rng.random((1, places, 1)) < rng.uniform(0.7, 1)
    return out[:, of_place] * takes_part * (rng.random(scene.shape) < rng.uniform(0.85, 1))


def _response(
    scene: _Scene, offer: _Offer, level: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(T, S, I) effects on log demand: of prices; of signs, less what was bought ahead; what is known."""
    rng, (periods, places, goods) = scene.rng, scene.shape
    own = -scene.log_uniform(0.6, 5) * np.exp(rng.normal(0, 0.3, (1, 1, goods)))
    own = own * np.exp(rng.normal(0, 0.15, (1, places, goods)))
    diverted, weight = rng.uniform(0, 0.8), np.exp(level) * np.ones((periods, 1, 1))
    same = (scene.category[:, None] == scene.category).astype(float)

    def substituted(effect: np.ndarray, share: float) -> np.ndarray:
        """Less what the category's price index takes away: a share of one item's gain is its rivals' loss."""
        index = (weight * np.exp(np.clip(effect, -4, 4))) @ same / (weight @ same)
        return effect - share * np.log(index)

    effect = substituted(own * offer.log_price, diverted)
    gains = np.abs(rng.normal(0, (0.35, 0.6), (1, 1, goods, 2)))
    gains[..., 1] = gains[..., 1] * np.exp(rng.normal(0, 0.15))
    signs = (offer.promo * gains).sum(-1)
    ahead = np.zeros(scene.shape)
    ahead[1:] = np.clip((effect + signs)[:-1], 0, 2) * rng.uniform(0, 0.25) * scene.flip(0.5)
    known = None
    if scene.flip(0.6):  # identified, with an error
        error = float(scene.log_uniform(0.02, 0.35))
        found = own * np.exp(rng.normal(0, error, (1, 1, goods))) * offer.log_price
        share = float(np.clip(diverted + rng.normal(0, error / 2), 0, 0.9))
        told = (offer.promo * gains * np.exp(rng.normal(0, error, gains.shape))).sum(-1)
        known = substituted(found, share) + told * scene.flip(0.8)
    return effect, signs - ahead, known


def _counts(scene: _Scene, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Units (T, S, I) and the share of the period in stock (0 where they are a lower bound)."""
    rng, r = scene.rng, float(scene.log_uniform(0.5, 60))
    exposure = np.ones(mean.shape)
    if scene.flip(0.3):
        often = rng.uniform(0, 0.4)
        out = rng.random(mean.shape) < often * np.minimum(1, rng.gamma(1, 1, (1, *mean.shape[1:])))
        exposure = np.where(out, rng.uniform(0.1, 1, mean.shape), 1.0)
    rate = mean * exposure * rng.gamma(r, 1 / r, mean.shape)
    units = rng.poisson(np.minimum(rate, 1e7)).astype(float)
    if scene.flip(0.1):  # rows that are wrong by far
        units = np.round(units * np.exp((rng.random(mean.shape) < 0.0005) * rng.uniform(2, 7, mean.shape)))
    if scene.flip(0.3):  # and by little
        slip = (rng.random(mean.shape) < 0.001) * np.clip(rng.normal(0, 1.5, mean.shape), -3, 3)
        units = np.round(units * np.exp(slip))
    unknown = exposure < 1 if scene.flip(0.3) else np.zeros(mean.shape, bool)
    return units, np.where(unknown, 0.0, exposure)


def _listed(scene: _Scene) -> np.ndarray:
    """(T, S, I) bool: holes in the assortment, launches, openings."""
    rng, (periods, places, goods) = scene.rng, scene.shape
    opens = (rng.random(places) < 0.15 * scene.flip(0.3)) * rng.integers(0, periods, places)
    opens[0] = 0
    listed = np.broadcast_to(np.arange(periods)[:, None, None] >= opens[:, None], scene.shape)
    if scene.flip(0.5):
        return listed
    absent = rng.random((places, goods)) < rng.uniform(0, 0.4)
    absent[0] = False
    late = (rng.random((1, goods)) < 0.15) * rng.integers(0, periods // 2, (places, goods))
    return listed & ~absent & (np.arange(periods)[:, None, None] >= late)
