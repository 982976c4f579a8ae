"""From a log of events to the population that a market simulates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..events import Events, reconciled
from ..panel.sales_panel import SalesPanel
from .contagion import Following, Ties, following, word_of_mouth
from .histories import Histories
from .leaving import LeavingFit, Met, fit_leaving
from .lift import Lift
from .messages import Telling, telling
from .population import Channels, Contagion, Population
from .sensitivity import paid_more, price_deviations
from .switching import SwitchingFit, Visited, fit_switching
from .tastes import Tastes
from .voice import Act, Voice

PARTICLES = 5000  # of a market
SEGMENTS = ("high value, calm", "high value, keen", "low value, calm", "low value, keen")
"""Those who bring half of what customers spend, and the others; of each, who pays more than others for the
same and who pays less."""
_HABIT = 20.0  # visits, that a customer's own ways are shrunk by
_NOBODY = {
    "weight": 0.0,
    "visit": 0.5,
    "taste": 0.0,
    "basket": 1.0,
    "leaving": 0.0,
    "hazard": 0.5,
    **dict.fromkeys(("elsewhere", "tells", "hears"), 0.0),
}


@dataclass(frozen=True)
class Learned:
    """A population, and how sure it is of what moves it."""

    population: Population
    leaving: LeavingFit
    acts: tuple[Act, ...]  # what customers do at visits before they leave, by what these met
    silence: Telling  # whether their messages foretell that they buy no more
    switching: SwitchingFit | None  # None: nobody comes to several locations
    words: Lift  # what addressing a customer does to those whom he told
    following: Following  # by how much these follow him
    usual_price: np.ndarray  # (S, I) in the last year; NaN of what a location does not sell
    days: float  # of a period


def learn_population(events: Events, panel: SalesPanel, particles: int = PARTICLES, seed: int = 0) -> Learned:
    """The customers that are left as the panel ends, as weighted particles.

    Args:
        events: what they did; visits or purchases suffice.
        panel: prices and stock-outs that they met, and the locations and items of the market.
        particles: how many, in equal parts for locations and segments.
        seed: of the draw of customers, where there are more.

    Raises:
        InputError: no event falls into the panel, or too few customers do.
    """
    seen = Histories.of(events, panel)
    tastes = Tastes.of(seen)
    days = float(np.diff(panel.dates).mean() / np.timedelta64(1, "D")) if panel.periods > 1 else 1.0
    met, silence = Met.of(seen, tastes), telling(events, "silence")
    voice = Voice.of(events, panel, seen, met.both, silence)
    found = fit_leaving(seen, met, voice, days)
    visited = Visited.of(seen)
    switching = fit_switching(seen, tastes, visited)
    segment = segments(seen, tastes, found)
    deviations = price_deviations(seen, tastes, segment, len(SEGMENTS))
    habit = voice.habits(seen, _HABIT) @ found.voice
    most = max(1, particles // (len(panel.locations) * len(SEGMENTS)))
    ties = _ties(events, seen)
    drawn = _Draw(seen, tastes, found, habit, segment, visited, ties, most)
    fields = drawn.fields(np.random.default_rng([seed, 0]))
    elsewhere, tells, hears = (fields.pop(name) for name in ("elsewhere", "tells", "hears"))
    population = Population(
        locations=panel.locations,
        items=panel.items,
        segments=SEGMENTS,
        price=_about_zero(torch.from_numpy(deviations).float(), fields["weight"], fields["taste"]),
        usual_stock_out=torch.from_numpy(seen.usual_missing).float(),
        known=torch.from_numpy(_known(events, panel)).float(),
        moved_by=found.moved_by,
        **fields,
    )
    if switching is not None:
        towards, worth = torch.from_numpy(visited.towards).float(), _worth(panel, population.mass.sum((1, 2)))
        channels = Channels(elsewhere, towards, worth, switching.moved_by)
        population = replace(population, channels=channels)
    words = word_of_mouth(events)
    follow = following(events, words)
    if not follow.because:
        contagion = Contagion(tells, hears, follow.elasticity, follow.error)
        population = replace(population, contagion=contagion)
    return Learned(population, found, voice.acts, silence, switching, words, follow, seen.usual_price, days)


def segments(seen: Histories, tastes: Tastes, found: LeavingFit) -> np.ndarray:
    """(N,) int64 place in ``SEGMENTS`` of each customer."""
    everyone = np.arange(len(seen.customers))
    price = np.nan_to_num(seen.usual_price)[seen.home]
    spent = found.visits * np.concatenate(
        [(tastes.a_visit(some) * price[some]).sum(1) for some in _blocks(everyone)]
    )
    best = np.argsort(-spent * found.alive)
    share = np.cumsum((spent * found.alive)[best])
    low = np.ones(len(everyone), dtype=np.int64)
    low[best[share <= 0.5 * share[-1]]] = 0
    return 2 * low + (paid_more(seen, tastes) < 0)


@dataclass(frozen=True)
class _Draw:
    """Customers of each location and segment, at most P of them."""

    seen: Histories
    tastes: Tastes
    found: LeavingFit
    habit: np.ndarray  # (N,) what each customer usually brings back and writes adds to the logit to leave
    segment: np.ndarray  # (N,)
    visited: Visited
    ties: np.ndarray  # (2, N) whether each customer told somebody, and was told
    particles: int  # P

    def fields(self, rng: np.random.Generator) -> dict[str, Any]:
        """The particles' fields of ``Population``."""
        places, goods = self.seen.missing.shape[1:]
        group = self.visited.place * len(SEGMENTS) + self.segment[self.visited.customer]
        most = min(self.particles, int(np.bincount(group).max()))  # no location has rows that nobody needs
        size = (places, len(SEGMENTS), most)
        shapes = dict.fromkeys(_NOBODY, size) | {"taste": (*size, goods)}
        fields = {name: np.full(shapes[name], value) for name, value in _NOBODY.items()}
        for place in range(places):
            for segment in range(size[1]):
                at = np.flatnonzero(group == place * len(SEGMENTS) + segment)
                if len(at):
                    own, weight = self._some(at, rng)
                    who = self.visited.customer[own]
                    fields["elsewhere"][place, segment, : len(who)] = self.visited.elsewhere[own]
                    for name, values in zip(("tells", "hears"), self.ties, strict=True):
                        fields[name][place, segment, : len(who)] = values[who]
                    for name, values in self._of(who, place).items():
                        fields[name][place, segment, : len(who)] = values
                    fields["weight"][place, segment, : len(who)] = weight
        return {name: torch.from_numpy(values).float() for name, values in fields.items()}

    def _some(self, own: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Of the pairs ``own`` of ``visited``, and whom each stands for: all of them, or P drawn by what they
        buy (systematically), so that each stands for as much demand."""
        who = self.visited.customer[own]
        alive = np.maximum(self.found.alive[who] * self.visited.share[own], 1e-12)
        if len(own) <= self.particles:
            return own, alive
        bought = np.concatenate([self.tastes.a_visit(some).sum(1) for some in _blocks(who)])
        chance = alive * self.found.visits[who] * bought
        chance = chance / chance.sum()
        at = np.searchsorted(np.cumsum(chance), (np.arange(self.particles) + rng.random()) / self.particles)
        at = np.minimum(at, len(own) - 1)
        return own[at], alive[at] / (self.particles * chance[at])

    def _of(self, who: np.ndarray, place: int) -> dict[str, np.ndarray]:
        visit = self.found.visits[who]
        taste = self.tastes.a_visit(who) * visit[:, None]
        basket = np.maximum(taste.sum(1), 1e-12)
        moved_by = self.found.moved_by
        share = taste / basket[:, None]
        usual = share @ self.seen.usual_missing[place]
        beyond = share @ (self.seen.missing[:, place] - self.seen.usual_missing[place]).T  # (C, T)
        leaving = self.found.own + self.habit[who] + moved_by.stock_out * usual
        met = moved_by.stock_out * beyond + moved_by.dear * (share @ self.seen.dear[:, place].T)
        hazard = (1 / (1 + np.exp(-leaving[:, None] - met))).mean(1)
        return {"visit": visit, "taste": taste, "basket": basket, "leaving": leaving, "hazard": hazard}


def _about_zero(deviation: torch.Tensor, weight: torch.Tensor, taste: torch.Tensor) -> torch.Tensor:
    """(S, K, I) deviations (K, I) less their mean by demand, so that the item's own elasticity stays."""
    bought = (weight.unsqueeze(-1) * taste).sum(2)
    mean = (deviation * bought).sum(1, keepdim=True) / bought.sum(1, keepdim=True).clamp(min=1e-12)
    return deviation - mean


def _ties(events: Events, seen: Histories) -> np.ndarray:
    """(2, N) whether each customer of ``seen`` told somebody, and was told."""
    ties = Ties.of(events)
    names = np.array(seen.customers)
    sides = (np.array(events.customers)[side] for side in (ties.teller, ties.told))
    return np.stack([np.isin(names, side) for side in sides]).astype(np.float64)


def _known(events: Events, panel: SalesPanel) -> np.ndarray:
    """(S, I) share of the units that known customers bought; 1 where the panel sold none."""
    share = np.ones((len(panel.locations), len(panel.items)))
    share[tuple(panel.series.T)] = np.nan_to_num(reconciled(events, panel).share, nan=1.0).clip(0.0, 1.0)
    return share


def _worth(panel: SalesPanel, bought: torch.Tensor) -> torch.Tensor:
    """(S, I) units that a location sold in a period of the last year for one that known customers buy."""
    recent = panel.dense(panel.units)[panel.dates > panel.dates[-1] - np.timedelta64(365, "D")]
    known = np.isfinite(recent)
    sold = torch.from_numpy(np.where(known, recent, 0.0).sum(0) / np.maximum(known.sum(0), 1)).float()
    return torch.where(bought > 0, sold / bought.clamp(min=1e-12), 0.0)


def _blocks(customers: np.ndarray, size: int = 4096) -> list[np.ndarray]:
    return [customers[begin : begin + size] for begin in range(0, len(customers), size)]
