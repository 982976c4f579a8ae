"""A market model in one ONNX file, which other runtimes and languages open, in float32 or int8.

In int8, the weights of linear layers are whole numbers with a scale for each output, and what they multiply
is rounded in every call by the range that it has there (dynamic quantisation; Jacob et al. 2018, CVPR,
arXiv 1712.05877, eq. 1). The extra ``onnx`` brings the libraries.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError
from ..files import replace_file
from ..network import KEYS
from .any_size import AnySize
from .model import MarketModel
from .network import MarketNetwork
from .pretraining import PretrainingSettings, drawn_lesson

TOLERANCE = 1e-4  # of a decile of log demand: 0.01% of the units
WORSE = 0.01  # share of the loss on drawn markets that int8 may add
_SIZES = ((1, 1, 1), (1, 1, 11), (3, 5, 1), (2, 4, 7), (1, KEYS + 3, 2), (1, 2, 2 * KEYS + 1))
_MARKETS, _HELD_OUT = 8, 990_001  # a seed that no training has
NEEDED = ("onnx", "onnxruntime", "onnxscript")


class OnnxNetwork(nn.Module):
    """What ``export_model`` wrote, run by ONNX Runtime on the CPU; it forecasts as ``MarketNetwork`` does."""

    def __init__(self, path: Path, threads: int | None = None):
        """Open a file.

        Args:
            path: of the file.
            threads: of a call; those of torch where None.

        Raises:
            InputError: the extra ``onnx`` is not installed, or this is no exported market model.
        """
        super().__init__()
        _need_extra()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            self.about: dict[str, Any] = json.loads(
                self._session.get_modelmeta().custom_metadata_map["about"]
            )
        except Exception as error:  # the runtime's own have no other class in common
            said = " ".join(str(error).split())
            raise InputError(f"{path}: expected a file that `mercato export` wrote; {said:.200}") from None

    def forward(self, features: Tensor, listed: Tensor | None = None) -> Tensor:
        """(B, S, I, F) float32, (B, S, I) bool → (B, S, I, 9); without meaning where nothing is listed."""
        there = torch.ones(features.shape[:-1], dtype=torch.bool) if listed is None else listed
        (told,) = self._session.run(None, {"features": features.numpy(), "listed": there.numpy()})
        return torch.from_numpy(told)


def export_model(model: MarketModel, out: Path, int8: bool = False) -> float:
    """Write a model as ONNX, unless the file disagrees with it.

    Inputs are ``features`` (B, S, I, F) float32 and ``listed`` (B, S, I) bool, the output ``deciles``
    (B, S, I, 9) of log demand above its level; any B, S and I.

    Args:
        model: is exported.
        out: ``.onnx`` file to write.
        int8: round weights and what they multiply to 8 bits.

    Returns:
        The largest difference of a decile of log demand on several sizes; of int8, the share by which the
        loss on drawn markets is larger.

    Raises:
        InputError: the extra ``onnx`` is not installed, or the file disagrees.
    """
    _need_extra()
    with TemporaryDirectory() as scratch:
        made = Path(scratch) / "model.onnx"
        with _quiet():
            _trace(model.network, made)
            if int8:
                _quantise(made)
        _describe(made, {"precision": "int8" if int8 else "float32", "recipe": model.recipe})
        exported = OnnxNetwork(made)
        if int8:
            found, limit, what = added_loss(model.network, exported), WORSE, "share of loss added"
        else:
            found, limit, what = largest_difference(model.network, exported), TOLERANCE, "difference"
        if not found <= limit:
            raise InputError(
                f"{out}: expected a {what} of at most {limit:g} against torch, found {found:.2g}"
            )
        replace_file(out, lambda new: new.write_bytes(made.read_bytes()))
    return found


@torch.no_grad()
def largest_difference(network: MarketNetwork, exported: nn.Module) -> float:
    """Of any decile of log demand of what is listed, over several sizes, with all listed and with some."""
    draw, worst = torch.Generator().manual_seed(0), 0.0
    for size in _SIZES:
        features = torch.randn(*size, network.settings.features, generator=draw)
        some = torch.rand(size, generator=draw) < 0.7
        some[:, 0, 0] = True
        for listed in (torch.ones_like(some), some):
            apart = (network(features, listed) - exported(features, listed))[listed]
            worst = max(worst, float(apart.abs().nan_to_num(torch.inf).max()))
    return worst


@torch.no_grad()
def added_loss(network: MarketNetwork, exported: nn.Module) -> float:
    """Share of the pinball loss on drawn markets that the exported network adds."""
    lessons = [drawn_lesson(_HELD_OUT, number, PretrainingSettings()) for number in range(_MARKETS)]
    before, after = (np.mean([float(one.loss(net)) for one in lessons]) for net in (network, exported))
    return float(after / before - 1)


def _trace(network: MarketNetwork, path: Path) -> None:
    example = torch.zeros(2, 3, 4, network.settings.features), torch.ones(2, 3, 4, dtype=torch.bool)
    sizes = dict.fromkeys(range(3), torch.export.Dim.DYNAMIC)
    program = torch.onnx.export(
        AnySize(network).eval(),
        example,
        dynamo=True,
        verbose=False,
        dynamic_shapes=(sizes, sizes),
        input_names=["features", "listed"],
        output_names=["deciles"],
    )
    assert program is not None  # as it is where dynamo makes it
    program.save(path)


def _quantise(path: Path) -> None:
    """Linear layers to int8, in place."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        path, path, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"]
    )


def _describe(path: Path, about: dict[str, Any]) -> None:
    import onnx

    written = onnx.load(path)
    onnx.helper.set_model_props(written, {"about": json.dumps(about)})
    onnx.save(written, path)


@contextmanager
def _quiet() -> Iterator[None]:
    """What tracing and quantising say of themselves is not for users."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _need_extra() -> None:
    absent = [name for name in NEEDED if find_spec(name) is None]
    if absent:
        raise InputError(f"export: expected {', '.join(absent)}, found none; pip install 'mercato[onnx]'")
