"""``mercato train``: from a market to policy files."""

from __future__ import annotations

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
    tensorboard: Path | None,
) -> None:
    from ...agents.workers import employ
    from ..api import settings_of
    from ..training import train_into

    if out.suffix != ".safetensors":
        raise InputError(f"--out: expected a file ending in .safetensors, found {out}")
    if ray is not None and tensorboard is not None:
        raise InputError("--tensorboard: expected a training on this machine, found --ray")
    settings = settings_of(algo, caution)
    console, shop = stderr(), open_market(market)
    files = {seed + k: out if seeds == 1 else out.with_stem(f"{out.stem}-{seed + k}") for k in range(seeds)}
    with Bars(console) as bars, employ(workers, ray) as crew:
        try:
            train_into(
                shop,
                settings,
                files,
                bars,
                crew,
                lambda file: console.print(f"wrote the policy {file}"),
                curves=tensorboard,
            )
        except KeyboardInterrupt:
            console.print("the same command resumes from the last validation")
            raise
