"""``mercato train``: from a market to policy files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...forecasters.errors import InputError
from ..console import Bars, stderr
from ..runtime import open_market


def run(
    market: Path,
    algo: str,
    out: Path,
    caution: float,
    seed: int,
    seeds: int,
    workers: int | None,
    ray: str | None,
) -> None:
    from ...agents.train import DQNSettings, PPOSettings
    from ...agents.workers import employ
    from ..training import Training, train

    if out.suffix != ".safetensors":
        raise InputError(f"--out: expected a file ending in .safetensors, found {out}")
    settings = {"ppo": PPOSettings, "dqn": DQNSettings}[algo](caution=caution)
    console, shop = stderr(), open_market(market)
    out.parent.mkdir(parents=True, exist_ok=True)
    files = {seed + k: out if seeds == 1 else out.with_stem(f"{out.stem}-{seed + k}") for k in range(seeds)}
    trainings = [Training(settings, one, file.resolve()) for one, file in files.items()]
    with Bars(console) as bars, employ(workers, ray) as crew:
        trained = crew.map(f"train {algo}", partial(train, shop), trainings, bars)
        for file, policy in zip(files.values(), trained, strict=True):
            policy.save(file)
            console.print(f"wrote the policy {file}")
