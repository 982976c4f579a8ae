"""``mercato pretrain``: a market model from drawn markets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...forecasters.errors import InputError
from ...forecasters.tensorboard import drawn
from ..console import Bars, stderr
from ..runtime import device


def run(
    out: Path,
    steps: int | None,
    width: int | None,
    blocks: int | None,
    seed: int,
    tensorboard: Path | None,
) -> None:
    from ...envs.folders import sole_writer
    from ...forecasters.market_model import PretrainingSettings, pretrain
    from ...forecasters.tensors import processes

    if out.suffix != ".safetensors":
        raise InputError(f"--out: expected a file ending in .safetensors, found {out}")
    usual = PretrainingSettings()
    settings = replace(
        usual, steps=steps or usual.steps, width=width or usual.width, blocks=blocks or usual.blocks
    )
    if settings.width % settings.heads:
        raise InputError(
            f"--width: expected a multiple of the {settings.heads} heads of attention, found {settings.width}"
        )
    console, crew = stderr(), processes(device())
    if crew.index > 0:  # the first process writes and tells
        pretrain(out, seed, settings, crew=crew)
        return
    with sole_writer(out), Bars(console) as bars:
        model = pretrain(out, seed, settings, drawn(bars, tensorboard), crew)
    markets = settings.steps * settings.batch
    console.print(
        f"wrote {out}: {markets:,} markets, pinball loss {model.recipe['loss']:.4f} on the last ones"
    )
