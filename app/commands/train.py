"""``mercato train``: from a market to a policy file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ...forecasters.errors import InputError
from ..console import Bars, stderr
from ..runtime import open_market


def run(market: Path, algo: str, out: Path, caution: float, seed: int) -> None:
    from ...agents.learned import LearnedPolicy
    from ...agents.train import DQNSettings, PPOSettings, train_dqn, train_ppo

    if out.suffix != ".safetensors":
        raise InputError(f"--out: expected a file ending in .safetensors, found {out}")
    learners: dict[str, Callable[..., LearnedPolicy]] = {
        "ppo": partial(train_ppo, settings=PPOSettings(caution=caution)),
        "dqn": partial(train_dqn, settings=DQNSettings(caution=caution)),
    }
    console = stderr()
    with Bars(console) as bars:
        policy = learners[algo](open_market(market), seed=seed, progress=bars, checkpoint=out)
    policy.save(out)
    console.print(f"wrote the policy {out}")
