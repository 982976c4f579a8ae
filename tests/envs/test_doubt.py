"""What the model is unsure of: measured at every step, charged to the reward, ending the episode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st
from small_markets import make_market
from stable_baselines3 import DQN
from torch import Tensor

from mercato.envs.adapters.gym_env import MarketplaceEnv
from mercato.envs.adapters.sb3_vec_env import MarketplaceVecEnv
from mercato.envs.adapters.vector_env import MarketplaceVectorEnv
from mercato.envs.economics import Economics
from mercato.envs.engine.actions import GridActions
from mercato.envs.engine.doubt import Halt, over_market
from mercato.envs.engine.rewards import CategoryProfit, Cautious, OwnProfit, Reward
from mercato.envs.engine.types import Decision, Outcome
from mercato.envs.market import Market
from mercato.envs.processes import Independent, ObservedDemand, Poisson
from mercato.envs.processes.scaled import ScaledDemand
from mercato.envs.simulator import Simulator
from mercato.forecasters.errors import InputError

MARKETPLACE = "mercato.envs:Marketplace-v0"
HORIZON, UNITS = 5, 4  # two price groups of three locations, two items


class Unsure(Independent):
    """Knows demand at the reference price, less and less of it away from there: an elasticity's error."""

    error = 0.5

    def disagreement(self, state, price: Tensor) -> Tensor:
        return self.error * (price / self.reference_price).log().abs()


def unsure(market: Market) -> Market:
    base, reference = market.terms.typical_demand, market.terms.reference_price
    return market.with_demand(Unsure(Poisson(), base, reference_price=reference, periods=60))


@pytest.fixture(scope="module")
def market() -> Market:
    return unsure(
        make_market(3, 2, groups=("a", "b", "a"), economics=Economics(lead_time=2, initial_cover=3))
    )


def one_step(market: Market, price: Tensor, halt: Halt = Halt()) -> tuple[Simulator, Outcome]:
    """A first period at ``price`` (B, S, I)."""
    simulator = Simulator(market, len(price), HORIZON, seed=0, halt=halt)
    return simulator, simulator.step(simulator.reset(), Decision(price, torch.zeros_like(price)))[1]


@given(st.floats(0.1, 9.0))
def test_the_distance_from_the_support_is_that_of_logarithms(price: float) -> None:
    supported = make_market(1, 1, price=2.0).supported  # 1 to 4
    distance = supported.distance(torch.full((1, 1, 1), price)).item()
    assert distance == pytest.approx(max(log(1 / price), log(price / 4), 0.0), abs=2e-5)
    assert distance == 0 or not 1 <= price <= 4


def test_the_ends_of_the_support_are_supported(market: Market) -> None:
    """Whatever an action asks for lies inside, rounding or not."""
    env = MarketplaceEnv(market, horizon=HORIZON, halt=Halt(off_support=0.0))
    for end in (-1, 1):
        env.reset(seed=0)
        _, _, terminated, _, info = env.step(np.full(UNITS * 2, end, np.float32))
        assert info["off_support"] == 0
        assert not terminated


def test_every_step_reports_how_unsure_the_model_is_of_the_price_charged(market: Market) -> None:
    price = torch.full((3, *market.shape), 2.0)
    price[1] *= 1.5
    price[2] *= 4
    outcome = one_step(market, price)[1]
    for doubt, far, b in ((0.0, 0.0, 0), (0.5 * log(1.5), 0.0, 1), (0.5 * log(4), log(2), 2)):
        assert outcome.disagreement[b].numpy() == pytest.approx(doubt, abs=1e-6)
        assert outcome.off_support[b].numpy() == pytest.approx(far, abs=1e-6)


def test_a_price_rule_is_applied_before_doubt_is_measured() -> None:
    rules = Economics.model_validate({"price_rules": {"ceiling": 1.2}})
    outcome = one_step(unsure(make_market(1, 1, economics=rules)), torch.full((1, 1, 1), 8.0))[1]
    assert outcome.disagreement.item() == pytest.approx(0.5 * log(1.2))
    assert outcome.off_support.item() == 0


def test_known_truth_is_sure_and_wrappers_say_what_the_model_says(market: Market) -> None:
    truth, model = make_market(3, 2).demand, market.demand
    price, start = torch.full((2, 3, 2), 3.0), torch.zeros(2, dtype=torch.int64)
    state = truth.reset(start, None)  # type: ignore[arg-type]
    assert not truth.disagreement(state, price).any()
    expected = model.disagreement(state, price)
    assert (expected > 0).all()
    assert torch.equal(ScaledDemand(model, torch.full((3, 2), 2.0)).disagreement(state, price), expected)
    observed = ObservedDemand(truth, model)
    assert torch.equal(
        observed.disagreement(observed.reset(start, None), price),  # type: ignore[arg-type]
        expected,
    )


def test_a_market_s_doubt_counts_series_by_their_typical_revenue() -> None:
    market = make_market(1, 2, mean=torch.tensor([[30.0, 10.0]]))
    assert over_market(torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]]), market).tolist() == [0.75, 0.25]


@pytest.mark.parametrize("reward", [CategoryProfit(), OwnProfit()])
@settings(deadline=None)
@given(k1=st.floats(0, 10), k2=st.floats(0, 10), seed=st.integers(0, 99))
def test_caution_charges_what_the_wrapped_reward_would_lose_by_as_much_revenue(
    reward: Reward, k1: float, k2: float, seed: int
) -> None:
    """r' = r - Σ R̄ (κ₁ d + κ₂ o) / Σ R̄ over the series that the reward pools, here computed by hand."""
    mean = torch.tensor([[10.0, 20.0, 30.0], [5.0, 1.0, 9.0]])
    market = make_market(2, 3, groups=("g", "g"), categories=("x", "y", "x"), mean=mean)
    rng = torch.Generator().manual_seed(seed)
    outcome = one_step(market, torch.full((4, 2, 3), 2.0))[1]
    d, o = (torch.rand((4, 2, 3), generator=rng) for _ in range(2))
    outcome = replace(outcome, disagreement=d, off_support=o)
    charged = reward(outcome, market) - Cautious(reward, k1, k2)(outcome, market)
    pools = [[0, 2], [1], [0, 2]] if isinstance(reward, CategoryProfit) else [[0], [1], [2]]
    for item, pool in enumerate(pools):
        weight = mean[:, pool]  # reference prices are equal
        due = (weight * (k1 * d + k2 * o)[:, :, pool]).sum((1, 2)) / weight.sum()
        assert torch.allclose(charged[:, item], due, atol=1e-4)


def test_nothing_changes_without_caution_and_halt(market: Market) -> None:
    """Rewards and profits of a fixed run, as they were before doubt was measured."""
    env = MarketplaceEnv(
        make_market(3, 2, groups=("a", "b", "a"), economics=Economics(lead_time=2, initial_cover=3)),
        horizon=HORIZON,
    )
    env.reset(seed=11)
    actions = np.random.default_rng(0).uniform(-1, 1, (HORIZON, UNITS * 2)).astype(np.float32)
    played = [env.step(action) for action in actions]
    rewards = [0.5867888, 0.6952325, 0.5242164, 0.7643548, 0.7945353]
    assert [step[1] for step in played] == pytest.approx(rewards, abs=1e-5)
    profits = [-134.977234, 22.919079, 69.484795, 10.326091, 388.859192]
    assert [step[4]["profit"] for step in played] == pytest.approx(profits, abs=1e-3)
    assert not any(step[2] for step in played)


@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_a_halt_refuses_what_is_no_threshold(value: float) -> None:
    for name in ("disagreement", "off_support", "penalty"):
        with pytest.raises(InputError, match=f"expected {name} >= 0"):
            Halt(**{name: value})


def test_a_halt_needs_more_than_its_threshold_and_stays(market: Market) -> None:
    halt = Halt(disagreement=0.5 * log(1.5) + 1e-4)
    simulator = Simulator(market, 2, HORIZON, seed=0, halt=halt)
    price = torch.full((2, *market.shape), 2.0)
    price[1] *= 1.6
    state, _ = simulator.step(simulator.reset(), Decision(price, torch.zeros_like(price)))
    assert state.halted.tolist() == simulator.done(state).tolist() == [False, True]
    calm = torch.full_like(price, 3.0)
    again, outcome = simulator.step(state, Decision(calm, torch.zeros_like(price)))
    assert again.halted.tolist() == [False, True]
    fresh = simulator.restart(again, simulator.done(again))
    assert fresh.halted.tolist() == [False, False]
    assert fresh.age.tolist() == [2, 0]
    assert outcome.disagreement.numpy() == pytest.approx(0.5 * log(1.5), abs=1e-6)


def test_a_halted_episode_is_booked_once_and_as_any_other_end(market: Market) -> None:
    """Halted after two periods, an episode earns what one of two periods earns."""
    prices = [torch.full((1, *market.shape), p) for p in (2.0, 8.0, 8.0)]
    order = torch.full((1, *market.shape), 9.0)

    def profits(simulator: Simulator, periods: int) -> list[float]:
        state, earned = simulator.reset(), []
        for price in prices[:periods]:
            state, outcome = simulator.step(state, Decision(price, order))
            earned.append(outcome.profit.sum().item())
            cash = earned[-1] - outcome.ending_value.sum().item()
        assert simulator.done(state).all()
        return [*earned, cash]

    short = Simulator(market, 1, 2, seed=0)
    halted = Simulator(market, 1, HORIZON, seed=0, halt=Halt(off_support=0.5))
    start = halted.reset().start
    short.reset = lambda: halted.initial_state(start)  # type: ignore[method-assign,assignment]
    assert profits(short, 2) == pytest.approx(profits(halted, 2))
    state, last = halted.reset(), []
    for price in prices:
        state, outcome = halted.step(state, Decision(price, order))
        last.append((outcome.profit.sum() - outcome.ending_value.sum()).item())
    # the period after the end is not credited with the stock a second time
    costs = outcome.purchase + outcome.holding + outcome.shortage + outcome.ordering + outcome.price_change
    assert outcome.profit.sum().item() == pytest.approx((outcome.revenue - costs).sum().item(), abs=1e-3)


def dear_at(step: int, copies: int, dear: int) -> Callable[[int], np.ndarray]:
    """Actions (copies, U · 2): the reference price, but the dearest for copy ``dear`` at ``step``."""

    def actions(now: int) -> np.ndarray:
        out = np.zeros((copies, UNITS * 2), np.float32)
        if now == step:
            out[dear, ::2] = 1.0
        return out

    return actions


HALT = Halt(disagreement=0.3, penalty=2.0)  # the dearest price has 0.5 log 2 = 0.35


def test_a_gymnasium_episode_terminates_and_pays_its_penalty_once(market: Market) -> None:
    plain, halting = (MarketplaceEnv(market, horizon=HORIZON, halt=halt) for halt in (Halt(), HALT))
    check_env(gymnasium.make(MARKETPLACE, market=market, horizon=HORIZON, halt=HALT).unwrapped)
    actions = dear_at(2, 1, 0)
    for env in (plain, halting):
        env.reset(seed=5)
    for step in range(3):
        a, b = plain.step(actions(step)[0]), halting.step(actions(step)[0])
        assert np.array_equal(a[0], b[0])
        assert (b[2], b[3]) == (step == 2, False)
        assert a[1] - b[1] == pytest.approx(2.0 if step == 2 else 0.0, abs=1e-5)
        assert b[4]["disagreement"] == pytest.approx(0.5 * log(2) if step == 2 else 0.0, abs=1e-6)
    first, _ = halting.reset()
    assert halting.observation_space.contains(first)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_vector_copy_terminates_alone(market: Market, mode: AutoresetMode) -> None:
    env = MarketplaceVectorEnv(3, market, horizon=HORIZON, halt=HALT, autoreset_mode=mode)
    env.reset(seed=5)
    actions = dear_at(1, 3, 2)
    alone, others, nobody = [False, False, True], [True, True, False], [False] * 3
    ends = []
    for step in range(7):
        _, _, terminated, truncated, infos = env.step(actions(step))
        ends.append((terminated.tolist(), truncated.tolist()))
        if step == 1:
            doubt = infos["final_info"]["disagreement"] if mode is AutoresetMode.SAME_STEP else None
            doubt = infos["disagreement"] if doubt is None else doubt
            assert doubt == pytest.approx([0, 0, 0.5 * log(2)], abs=1e-6)
        over = terminated | truncated
        if mode is AutoresetMode.DISABLED and over.any():
            env.reset(options={"reset_mask": over})
    assert ends[1] == (alone, nobody)
    assert ends[4] == (nobody, others)
    second = 7 if mode is AutoresetMode.NEXT_STEP else 6  # the copy's own horizon, counted from its reset
    assert [step for step, (_, cut) in enumerate(ends) if cut[2]] == [second][: second < 7]
    assert sum(any(stop) for stop, _ in ends) == 1


def test_slots_of_a_halted_market_are_done_and_not_cut_short(market: Market) -> None:
    env = MarketplaceVecEnv(market, 3, horizon=HORIZON, seed=5, halt=HALT)
    env.reset()
    actions, slots = dear_at(1, 3, 2), slice(2 * UNITS, 3 * UNITS)
    mine = np.zeros(env.num_envs, bool)
    mine[slots] = True
    for step in range(7):
        seen, reward, dones, infos = env.step(actions(step).reshape(env.num_envs, 2))
        expected = {1: mine, 4: ~mine, 6: mine}.get(step, np.zeros_like(mine))
        assert dones.tolist() == expected.tolist()
        assert [bool(info) for info in infos] == dones.tolist()
        for slot in np.flatnonzero(dones):
            info = infos[slot]
            assert info["TimeLimit.truncated"] == (step != 1)
            assert not np.array_equal(info["terminal_observation"], seen[slot])
            mean = 0.5 * log(2) / 2 if step == 1 else 0.0  # over the two periods of the episode
            assert info["disagreement"] == pytest.approx(mean, abs=1e-6)
            assert info["off_support"] == 0
        if step == 1:
            assert reward[mine].max() < 0 < reward[~mine].min()  # the penalty is 2 for each unit


def test_a_stock_learner_bootstraps_truncated_slots_only(market: Market) -> None:
    """DQN's buffer marks an end as a real one where the market was halted, as a time limit elsewhere."""
    env = MarketplaceVecEnv(market, 2, horizon=3, seed=1, halt=HALT, actions=GridActions)
    model = DQN("MlpPolicy", env, learning_starts=10**6, train_freq=1, buffer_size=500, seed=0, device="cpu")
    model.learn(30 * env.num_envs)
    buffer = model.replay_buffer
    done, cut = buffer.dones[:30].astype(bool), buffer.timeouts[:30].astype(bool)
    assert cut.any()
    assert (done & ~cut).any()
    assert not (cut & ~done).any()
