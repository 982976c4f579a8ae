"""``mercato train``: from a market to a policy file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...forecasters.errors import InputError
from ..console import Bars, stderr
from ..runtime import open_market


def run(market: Path, algo: str, out: Path, seed: int) -> None:
    from ...agents.learned import LearnedPolicy
    from ...agents.train import train_dqn, train_ppo

    if out.suffix != ".safetensors":
        raise InputError(f"--out: expected a file ending in .safetensors, found {out}")
    learners: dict[str, Callable[..., LearnedPolicy]] = {"ppo": train_ppo, "dqn": train_dqn}
    console = stderr()
    with Bars(console) as bars:
        policy = learners[algo](open_market(market), seed=seed, progress=bars, checkpoint=out)
    policy.save(out)
    console.print(f"wrote the policy {out}")
