"""A market model as ONNX: the same function of any size, in 8 bits nearly so, refused where it is not."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mercato.forecasters.errors import InputError
from mercato.forecasters.market_model import (
    MarketModel,
    MarketNetwork,
    MarketNetworkSettings,
    PriorSettings,
    build_features,
    draw,
    export,
    forecast,
    shipped,
)
from mercato.forecasters.market_model.any_size import AnySize
from mercato.forecasters.market_model.export import OnnxNetwork, added_loss, export_model, largest_difference

SMALL = PriorSettings(locations=4, items=4, periods=(40, 50), months=(40, 50))


def network() -> MarketNetwork:
    """Random weights, none of them zero, of the features that panels have."""
    torch.manual_seed(0)
    panel = draw(np.random.default_rng(0), SMALL)
    features = build_features(panel, 30, [30]).at(30, 0).shape[-1]
    made = MarketNetwork(MarketNetworkSettings(features=features, width=16, blocks=1, heads=2)).eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return made


def test_one_graph_is_the_network_at_any_size() -> None:
    assert largest_difference(network(), AnySize(network())) < 1e-5


def test_the_check_sees_what_does_not_read_who_is_listed() -> None:
    class Deaf(nn.Module):
        def forward(self, features: Tensor, listed: Tensor) -> Tensor:
            return network()(features)

    assert largest_difference(network(), Deaf()) > export.TOLERANCE


def test_what_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "onnxruntime" else "there")
    with pytest.raises(InputError, match=r"expected onnxruntime, found none; pip install 'mercato\[onnx\]'"):
        export_model(MarketModel(network(), {}), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in export.NEEDED), reason="needs the extra onnx"
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The network exported in both precisions, traced once."""
    folder, model = tmp_path_factory.mktemp("onnx"), MarketModel(network(), {"seed": 3})
    made = {"float32": folder / "model.onnx", "int8": folder / "small.onnx"}
    export_model(model, made["float32"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "_trace", lambda _, path: shutil.copy(made["float32"], path))
        export_model(model, made["int8"], int8=True)
    return made


@needs_onnx
@pytest.mark.slow
def test_a_file_forecasts_as_the_network_does(files: dict[str, Path]) -> None:
    panel = draw(np.random.default_rng(5), SMALL)
    features = build_features(panel, 30, [30])
    mine, theirs = (
        forecast(net, panel, features, 30, 5) for net in (network(), OnnxNetwork(files["float32"]))
    )
    there = panel.listed[30:35]
    np.testing.assert_allclose(theirs[there], mine[there], rtol=1e-4, atol=1e-6)


@needs_onnx
@pytest.mark.slow
def test_eight_bits_are_smaller_and_nearly_as_good(files: dict[str, Path]) -> None:
    assert files["int8"].stat().st_size < files["float32"].stat().st_size
    small = OnnxNetwork(files["int8"])
    assert (
        largest_difference(network(), small) > export.TOLERANCE
    )  # it is another function, and so told apart
    assert abs(added_loss(network(), small)) < export.WORSE


@needs_onnx
@pytest.mark.slow
def test_a_file_says_what_it_is(files: dict[str, Path]) -> None:
    for precision, path in files.items():
        assert OnnxNetwork(path).about == {"precision": precision, "recipe": {"seed": 3}}


@needs_onnx
@pytest.mark.parametrize(("int8", "limit"), [(False, "0.0001"), (True, "0.01")])
def test_what_disagrees_is_not_written(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, int8: bool, limit: str
) -> None:
    best = shipped().network  # the loss of another one is larger
    monkeypatch.setattr(export, "_trace", lambda _, path: shutil.copy(files["float32"], path))
    with pytest.raises(InputError, match=f"of at most {limit} against torch, found"):
        export_model(MarketModel(best, {}), tmp_path / "model.onnx", int8)
    assert not list(tmp_path.iterdir())


@needs_onnx
def test_what_is_no_export_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"nothing of the kind")
    for file in (path, tmp_path / "absent.onnx"):
        with pytest.raises(InputError, match="a file that `mercato export` wrote") as caught:
            OnnxNetwork(file)
        assert "\n" not in str(caught.value)
