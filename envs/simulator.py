"""The simulator: a market, its noise and its clock. Everything else is an adapter over this."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor

from ..forecasters.errors import InputError
from ..forecasters.simulation import Period
from ..forecasters.tensors import NoiseKey, room_for
from .engine import tree
from .engine.doubt import Halt
from .engine.finite import refuse_decision, refuse_demand, refuse_outcome
from .engine.rules import enforce
from .engine.step import initial_pipeline, step, stock_value
from .engine.stock import fresh
from .engine.types import Decision, Outcome, State
from .engine.view import View
from .market import Market
from .processes.addressed import addressed

__all__ = ["Simulator", "View"]

START_STREAM, WASTE_STREAM, STOCK_STREAM = 20, 21, 22
LARGEST_SEED = 2**52
_COPIES = 3  # of the state at most: where episodes begin anew there are the old one, the new one, the choice
_WORKING = 4096  # bytes a series while a step is taken, beyond the states


class Simulator:
    """``n_markets`` copies of one market, side by side, each in an episode of ``horizon`` periods.

    Noise is keyed by (seed, slot, episode, period, series): in training market b is slot b and counts its own
    episodes; in evaluation the slot is 0 and the episode number global, so that episode n has the same
    customers at any batch size. Nothing is kept between calls but constants: states go in and out.

    Episodes truncate at the horizon. They terminate with the season, where that ends by then, and where
    ``halt`` says so. Opening stock is charged to the first period's profit at unit cost; closing stock (on
    hand + pipeline - backorders) is credited to the last one's, at unit cost, or what a season's end leaves.

    Raises:
        InputError: no market, no period, a seed outside 0 … 2**52, or more markets than there is memory for.
    """

    def __init__(
        self,
        market: Market,
        n_markets: int,
        horizon: int,
        seed: int,
        *,
        evaluation: bool = False,
        halt: Halt = Halt(),
    ) -> None:
        if n_markets < 1 or horizon < 1:
            raise InputError(
                f"simulator: expected at least one market and period, found {n_markets} and {horizon}"
            )
        if not 0 <= seed < LARGEST_SEED:
            raise InputError(f"simulator: expected a seed in 0 … 2**52 - 1, found {seed}")
        self.market, self.n_markets, self.seed = market, n_markets, seed
        self.horizon = horizon = market.economics.episode(horizon)
        self.halt = halt
        _ = market.by_fairness  # made before compiled code asks for it
        device = market.device
        rows = torch.arange(n_markets, device=device)
        self._slot = torch.zeros_like(rows) if evaluation else rows
        self._first_episode = rows if evaluation else torch.zeros_like(rows)
        self._next = n_markets if evaluation else 1  # from one episode of a market to its next
        self._cohorts = None if market.spoilage is None else _cohort_ids(market)
        self._starts = torch.tensor(list(market.starts(horizon)), device=device)
        if n_markets > 1:
            one = Simulator(market, 1, horizon, seed).reset()
            each = _COPIES * tree.size(one) + _WORKING * one.on_hand.numel()
            room_for(n_markets, each, f"markets of {one.on_hand.numel():,} series", device)

    def before(self, market: Market) -> Simulator:
        """The same episodes and noise in a market of the same series whose terms or customers are others."""
        other = copy.copy(self)
        other.market = market
        return other

    @torch.no_grad()
    def reset(self, episodes: Tensor | None = None) -> State:
        """Markets at the beginning of ``episodes`` (B,) int64; of the first ones where None."""
        episodes = self._first_episode if episodes is None else episodes.to(self._slot)
        return self.initial_state(self._draw_start(episodes), episodes=episodes)

    @torch.no_grad()
    def restart(self, state: State, done: Tensor) -> State:
        """Markets in ``done`` (B,) bool at the beginning of their next episode, the others as they are."""
        return tree.where(done, self.reset(state.episode + self._next), state)

    @torch.no_grad()
    def initial_state(
        self,
        start: Tensor,
        *,
        on_hand: Tensor | None = None,
        pipeline: Tensor | None = None,
        backorders: Tensor | None = None,
        last_price: Tensor | None = None,
        episodes: Tensor | None = None,
    ) -> State:
        """Markets about to play calendar index ``start`` (B,), with a given stock where there is one.

        Args:
            start: (B,) int64; ``market.demand.periods`` is the period right after the history.
            on_hand: (S, I) or (B, S, I) units; ``initial_cover`` periods of expected demand where None;
                fresh, where there is a shelf life.
            pipeline: (L, S, I) or (B, L, S, I) units on order, slot k due in k + 1 periods; empty where None.
            backorders: (S, I) or (B, S, I) units owed; none where None.
            last_price: (S, I) or (B, S, I); the logged price of the period before, else the reference price;
                that, too, where prices are not decided.
            episodes: (B,) int64 whose noise it is; the first ones where None.
        """
        market, economics = self.market, self.market.economics
        episode = self._first_episode if episodes is None else episodes
        start = start.to(self._slot)
        key = NoiseKey(self.seed, self._slot, episode, torch.zeros_like(start))
        demand = market.demand.reset(start.clone(), key)
        mean = market.demand.outlook(demand).mean

        def filled(given: Tensor | None, otherwise: Tensor) -> Tensor:
            return otherwise if given is None else given.to(mean).expand_as(otherwise).clone()

        on_hand = filled(on_hand, (self._cover(key) * mean).round())
        state = State(
            on_hand=on_hand,
            cohorts=fresh(on_hand, economics),
            pipeline=filled(pipeline, initial_pipeline(on_hand, economics)),
            backorders=filled(backorders, torch.zeros_like(on_hand)),
            last_price=filled(last_price, self._price_before(start)),
            last_sales=mean,
            since_change=torch.full_like(on_hand, economics.price_rules.cadence, dtype=torch.int64),
            halted=torch.zeros_like(start, dtype=torch.bool),
            start=start,
            age=torch.zeros_like(start),
            seed=torch.full_like(self._slot, self.seed),
            slot=self._slot,
            episode=episode,
            demand=demand,
        )
        return tree.laid_out(state)

    @torch.no_grad()
    def view(self, state: State) -> View:
        """What a policy may look at."""
        return View(self.market, state, self.market.demand.outlook(state.demand))

    @torch.no_grad()
    def step(self, state: State, decision: Decision) -> tuple[State, Outcome]:
        """Play one period of every market: rules, demand, the order of events, doubts, the accounts.

        Raises:
            InputError: a price or an order that is no number or too large; says of which series. Not on a GPU
                and not where compiled, where whoever reads the numbers has to look.
            UnplayableError: the market's demand is no number, likewise.
        """
        market, key = self.market, self.key(state)
        decision = enforce(decision, state, market)
        given, action = None, decision.customers
        if action is not None:
            told, given = addressed(market.demand, state.demand, action, decision.price)
            state = replace(state, demand=told)
        at_once = market.device.type == "cpu" and not torch.compiler.is_compiling()  # others would wait
        if at_once:
            refuse_decision(decision, state, market)
        demand = market.demand.sample(state.demand, decision.price, key)
        if at_once:
            refuse_demand(demand, state, market)
        after, outcome = step(state, decision, demand, market, self.luck(key))
        if given is not None:
            outcome = _given_back(outcome, given)
        outcome = replace(outcome, disagreement=market.demand.disagreement(state.demand, decision.price))
        period = Period(price=decision.price, demand=demand, sales=outcome.sales)
        after = replace(
            after,
            halted=state.halted | self.halt(outcome, market),
            demand=market.demand.advance(state.demand, period, key),
        )
        outcome = replace(outcome, profit=self._accounted(state, after, outcome))
        if at_once:
            refuse_outcome(outcome, state, market)
        return after, outcome

    def luck(self, key: NoiseKey) -> Tensor | None:
        """(B, C, S, I) uniforms by which units spoil; None where none do."""
        return None if self._cohorts is None else key.uniform(self._cohorts, WASTE_STREAM)

    def key(self, state: State) -> NoiseKey:
        """Whose noise the coming period has."""
        return NoiseKey(state.seed, state.slot, state.episode, state.age)

    def done(self, state: State) -> Tensor:
        """(B,) bool: the episode has ended, at its horizon or terminated before."""
        return self.terminated(state) | (state.age >= self.horizon)

    def terminated(self, state: State) -> Tensor:
        """(B,) bool: the episode was halted or its season is over, so that nothing more is to be earned."""
        season = self.market.economics.season
        return state.halted if season is None else state.halted | (state.age >= season)

    def _accounted(self, before: State, after: State, outcome: Outcome) -> Tensor:
        opening = stock_value(before.on_hand, before.pipeline, before.backorders, self.market.terms)
        first = (before.age == 0).view(-1, 1, 1)
        last = (self.done(after) & ~self.done(before)).view(-1, 1, 1)
        return (
            outcome.profit - torch.where(first, opening, 0.0) + torch.where(last, outcome.ending_value, 0.0)
        )

    def _draw_start(self, episodes: Tensor) -> Tensor:
        """(B,) calendar index, uniform over the market's possible starts."""
        key = NoiseKey(self.seed, self._slot, episodes, torch.zeros_like(episodes))
        uniform = key.uniform(torch.zeros(1, dtype=torch.int64, device=episodes.device), START_STREAM)[:, 0]
        return self._starts[(uniform * len(self._starts)).long().clamp(max=len(self._starts) - 1)]

    def _cover(self, key: NoiseKey) -> float | Tensor:
        """Periods of demand in stock at the start of an episode: the same always, or drawn (B, S, I)."""
        cover = self.market.economics.initial_cover
        if not isinstance(cover, tuple):
            return cover
        low, high = cover
        return low + (high - low) * key.uniform(self.market.series_ids, STOCK_STREAM)

    def _price_before(self, start: Tensor) -> Tensor:
        """(B, S, I) price of the period before ``start``."""
        logged, reference = self.market.charged_before, self.market.terms.reference_price
        if logged is None:
            return reference.expand(len(start), *reference.shape)
        return logged[(start - 1).clamp(0, len(logged) - 1)]


def _given_back(outcome: Outcome, share: Tensor) -> Outcome:
    """What is earned where customers keep a ``share`` (B, S, I) of what they pay, for coupons."""
    given = outcome.revenue * share
    return replace(outcome, revenue=outcome.revenue - given, profit=outcome.profit - given)


def _cohort_ids(market: Market) -> Tensor:
    """(C, S, I) whose noise the spoiling of each cohort is; C = 1 where units keep."""
    numbers = torch.arange(market.economics.shelf_life or 1, device=market.device)
    return market.series_ids + numbers.view(-1, 1, 1)
