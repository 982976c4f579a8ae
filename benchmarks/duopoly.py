"""Two sellers who learn prices by themselves: ``python -m benchmarks.duopoly``.

The logit duopoly of Calvano et al. 2020 (American Economic Review 110(10)): tabular Q-learning as in their
section II, who remember the last period's prices. Profits of every pair of prices are read off the engine,
which plays all pairs in one batch; demand is certain, so that learning from them is playing there. What is
reported is their profit gain Δ, from 0 (Nash) to 1 (monopoly), with its 95% interval over the sessions.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mercato.agents.evaluation import bootstrap
from mercato.envs.engine.rewards import accrued_profit
from mercato.envs.engine.types import Decision
from mercato.envs.problems import LogitDuopoly
from mercato.envs.simulator import Simulator

from .record import write_result

PICTURE = Path("docs") / "images" / "duopoly.png"


@dataclass(frozen=True)
class QLearning:
    """The paper's learners: its parameters, and its rule to stop."""

    prices: int = 15  # m, evenly spread from a little below Nash to a little above monopoly
    rate: float = 0.15  # α
    discount: float = 0.95  # δ
    decay: float = 4e-6  # β: a share e^(-β·t) of the actions is random
    settled: int = 100_000  # periods without a change of any best reply that end it
    longest: int = 3_000_000  # periods
    sessions: int = 10


QUICK = replace(QLearning(), decay=4e-5, settled=20_000, longest=200_000)


def profits(duopoly: LogitDuopoly, grid: np.ndarray) -> np.ndarray:
    """(m, m, 2) profit a customer of both sellers where the first charges grid[i], the second grid[j]."""
    market, count = duopoly.market(), len(grid)
    simulator = Simulator(market, count**2, 2, seed=0)
    state = simulator.reset()
    pairs = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    price = torch.tensor(pairs, dtype=torch.float32)
    enough = torch.full_like(price, duopoly.customers)
    _, outcome = simulator.step(state, Decision(price, enough))
    earned = accrued_profit(outcome, market)[:, 0] / duopoly.customers
    return earned.double().numpy().reshape(count, count, 2)


def learn(payoff: np.ndarray, settings: QLearning, seed: int) -> dict[str, np.ndarray]:
    """Play all sessions side by side; each one's last prices and profits, once nobody's reply changes.

    Returns:
        ``profit`` (S, 2) and ``price`` (S, 2) indices, means over the cycle that the sessions end in;
        ``path`` (P, S) mean profit of both over stretches of time; ``periods`` (S,).
    """
    draw, count, sessions = np.random.default_rng(seed), settings.prices, settings.sessions
    every, both = np.arange(sessions)[:, None], np.arange(2)[None, :]
    mean = np.stack([payoff[..., 0].mean(1), payoff[..., 1].mean(0)])  # against a rival at random
    table = np.broadcast_to(mean / (1 - settings.discount), (sessions, count**2, 2, count)).copy()
    state = draw.integers(0, count**2, sessions)
    greedy, since = table.argmax(-1), np.zeros(sessions, dtype=np.int64)
    periods, path, stretch = np.full(sessions, settings.longest), [], np.zeros(sessions)
    block = settings.longest // 300
    for period in range(settings.longest):
        if period % 4096 == 0:
            chance, wild = draw.random((4096, sessions, 2)), draw.integers(0, count, (4096, sessions, 2))
        at = period % 4096
        explore = chance[at] < np.exp(-settings.decay * period)
        action = np.where(explore, wild[at], greedy[every, state[:, None], both])
        after = action[:, 0] * count + action[:, 1]
        earned = payoff[action[:, 0], action[:, 1]]
        place = (every, state[:, None], both)
        best_next = table[every, after[:, None], both].max(-1)
        old = table[(*place, action)]
        table[(*place, action)] = old + settings.rate * (earned + settings.discount * best_next - old)
        reply = table[place].argmax(-1)
        changed = (reply != greedy[place]).any(1)
        greedy[place] = reply
        since = np.where(changed, 0, since + 1)
        stretch += earned.mean(1)
        state = after
        if (period + 1) % block == 0:
            path.append(stretch / block)
            stretch = np.zeros(sessions)
        periods = np.where((since >= settings.settled) & (periods == settings.longest), period + 1, periods)
        if (periods < settings.longest).all():
            break
    price, profit = _at_rest(greedy, state, payoff)
    return {"price": price, "profit": profit, "path": np.array(path), "periods": periods}


def _at_rest(greedy: np.ndarray, state: np.ndarray, payoff: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean price index and profit (S, 2) of greedy play, over a while that holds any cycle about evenly."""
    count, every = payoff.shape[0], np.arange(len(state))
    prices, earned = [], []
    for _ in range(5040):
        action = greedy[every, state]
        prices.append(action)
        earned.append(payoff[action[:, 0], action[:, 1]])
        state = action[:, 0] * count + action[:, 1]
    return np.mean(prices, axis=0), np.mean(earned, axis=0)


def study(settings: QLearning, seed: int = 0) -> dict[str, Any]:
    """Prices and profit gain of the sessions."""
    duopoly = LogitDuopoly()
    terms = duopoly.market().terms
    grid = np.linspace(float(terms.price_low[0, 0]), float(terms.price_high[0, 0]), settings.prices)
    began = time.perf_counter()
    found = learn(profits(duopoly, grid), settings, seed)
    gains = np.array([duopoly.gain(profit) for profit in found["profit"].mean(1)])
    price = np.interp(found["price"], np.arange(settings.prices), grid).mean(1)
    return {
        "duopoly": asdict(duopoly),
        "settings": asdict(settings),
        "nash": duopoly.nash,
        "monopoly": duopoly.monopoly,
        "gain": bootstrap(gains, seed),
        "price": bootstrap(price, seed),
        "gains": gains.tolist(),
        "path": [[duopoly.gain(x) for x in row] for row in found["path"]],
        "periods": found["periods"].tolist(),
        "seconds": time.perf_counter() - began,
    }


def table(found: dict[str, Any]) -> str:
    """In Markdown."""
    rows = [
        ("Nash", f"{found['nash']:.4f}", "0"),
        (
            "two learners",
            "{:.3f} [{:.3f} … {:.3f}]".format(*found["price"]),
            "{:.2f} [{:.2f} … {:.2f}]".format(*found["gain"]),
        ),
        ("monopoly", f"{found['monopoly']:.4f}", "1"),
    ]
    return "\n".join(["| | price | profit gain |", "|---|---|---|"] + [f"| {' | '.join(r)} |" for r in rows])


def draw(found: dict[str, Any], out: Path) -> None:
    """The profit gain of every session over time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    path = np.array(found["path"])
    figure, axes = plt.subplots(figsize=(7.2, 3.6), layout="constrained")
    million = (np.arange(len(path)) + 1) * found["settings"]["longest"] / 300 / 1e6
    axes.plot(million, path, color="tab:blue", alpha=0.25, linewidth=1)
    axes.plot(million, path.mean(1), color="tab:blue", linewidth=2, label=f"mean of {path.shape[1]} sessions")
    for level, name in ((0, "Nash"), (1, "monopoly")):
        axes.axhline(level, color="black", linewidth=1, linestyle="--")
        axes.annotate(name, (million[-1], level), xytext=(0, 3), textcoords="offset points", ha="right")
    axes.set(xlabel="periods, million", ylabel="profit gain Δ", ylim=(min(-0.25, path.min()), 1.15))
    axes.set_title("Two sellers who learn prices by Q-learning", loc="left")
    axes.legend(loc="lower right", frameon=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="less patient learners; not kept")
    arguments = parser.parse_args()
    found = study(QUICK if arguments.quick else QLearning())
    if not arguments.quick:
        draw(found, PICTURE)
        print(f"wrote {PICTURE} and {write_result('duopoly', found)}", file=sys.stderr)
    print(json.dumps(found) if arguments.json else table(found))


if __name__ == "__main__":
    main()
