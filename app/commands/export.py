"""``mercato export``: a market model as ONNX."""

from __future__ import annotations

from pathlib import Path

from ...forecasters.errors import InputError
from ..console import stderr


def run(model: Path | None, out: Path, int8: bool) -> None:
    from ...forecasters.market_model import MarketModel, export_model, shipped

    if out.suffix != ".onnx":
        raise InputError(f"--out: expected a file ending in .onnx, found {out}")
    found = export_model(shipped() if model is None else MarketModel.load(model), out, int8)
    told = f"loss on drawn markets {found:+.2%}" if int8 else f"within {found:.1g} of torch's log deciles"
    stderr().print(f"wrote {out}, {out.stat().st_size / 2**20:.1f} MB: {told}")
