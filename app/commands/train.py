"""``mercato train``: from a market, or several, to policy files."""

from __future__ import annotations

from pathlib import Path

from ...forecasters.errors import InputError
from ..console import Bars, stderr
from ..runtime import open_market


def run(
    markets: list[Path],
    algo: str,
    out: Path,
    start: Path | None,
    caution: float,
    seed: int,
    seeds: int,
    workers: int | None,
    ray: str | None,
    tensorboard: Path | None,
) -> None:
    from ...agents.learned import LearnedPolicy
    from ...agents.workers import employ
    from ..api import settings_of
    from ..training import train_into

    if out.suffix != ".safetensors":
        raise InputError(f"--out: expected a file ending in .safetensors, found {out}")
    if ray is not None and tensorboard is not None:
        raise InputError("--tensorboard: expected a training on this machine, found --ray")
    settings = settings_of(algo, caution, markets=len(markets), start=start is not None)
    console, (shop, *others) = stderr(), [open_market(market).remembered for market in markets]
    begins = None if start is None else LearnedPolicy.load(start)
    files = {seed + k: out if seeds == 1 else out.with_stem(f"{out.stem}-{seed + k}") for k in range(seeds)}
    with Bars(console) as bars, employ(workers, ray) as crew:
        try:
            train_into(
                [shop, *others] if others else shop,
                settings,
                files,
                bars,
                crew,
                lambda file: console.print(f"wrote the policy {file}"),
                curves=tensorboard,
                start=begins,
            )
        except KeyboardInterrupt:
            console.print("the same command resumes from the last validation")
            raise
