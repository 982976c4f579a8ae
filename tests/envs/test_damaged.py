"""Parts that do not belong together, or are damaged: one line, and nothing of them is used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from safetensors.torch import load_file, save_file

from mercato.agents.baselines.myopic import MyopicPrice
from mercato.agents.baselines.orders import BaseStock
from mercato.agents.corrections import OfLevel
from mercato.agents.learned import LearnedPolicy
from mercato.agents.network import PolicyNetwork
from mercato.agents.policy import Pair
from mercato.agents.residual import Residual, to_spec
from mercato.envs.economics import Economics
from mercato.envs.engine.observation import Observation
from mercato.envs.store import fit_market, load_market, load_panel
from mercato.envs.structural import FAMILIES, ROLES, Size
from mercato.forecasters.errors import InputError
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network.training import TrainingSettings
from mercato.forecasters.panel import read_panel

FILES = ("market.json", "model.json", "model.safetensors", "panel.parquet")


@pytest.fixture(scope="module")
def markets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two markets of one make."""
    folder = tmp_path_factory.mktemp("markets")
    fitted = FitSettings(training=TrainingSettings(steps=2))
    for seed in (0, 1):
        frame, _ = FAMILIES["log-linear"].make(seed, Size(2, 2, 40))
        fit_market(read_panel(frame, roles=ROLES), Economics(), folder / str(seed), fitted)
    return folder / "0", folder / "1"


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_market_is_refused_by_name(
    markets: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(markets[0], mine)
    shutil.copy(markets[1] / name, mine / name)
    with pytest.raises(InputError, match="another market's; make it again"):
        load_market(mine)


@pytest.mark.parametrize("name", FILES)
def test_an_absent_file_is_named(markets: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(markets[0], mine)
    (mine / name).unlink()
    with pytest.raises(InputError, match=name):
        load_market(mine)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.sampled_from(FILES), some.floats(0, 1), some.integers(1, 255), some.booleans())
def test_no_changed_byte_and_no_cut_gets_through(
    markets: tuple[Path, Path], tmp_path: Path, name: str, where: float, by: int, cut: bool
) -> None:
    mine = tmp_path / "mine"
    shutil.rmtree(mine, ignore_errors=True)
    shutil.copytree(markets[0], mine)
    content = bytearray((mine / name).read_bytes())
    at = min(int(where * len(content)), len(content) - 1)
    if cut:
        content = content[:at]
    else:
        content[at] ^= by
    (mine / name).write_bytes(content)
    if name == "market.json" and _means_the_same(bytes(content), markets[0] / name):
        return
    for read in (load_market, load_panel):
        with pytest.raises(InputError) as caught:
            read(mine)
        assert len(str(caught.value)) < 400


def _means_the_same(content: bytes, as_it_was: Path) -> bool:
    """A changed space between two values changes nothing."""
    try:
        return json.loads(content) == json.loads(as_it_was.read_text())
    except ValueError:
        return False


ACTIONS = Residual.of(Pair("base", MyopicPrice(), BaseStock(1.1)), price_reach=0.2, orders=OfLevel(0.5))


def policy(folder: Path) -> Path:
    features = Observation(["stock_cover", "cost"]).names
    network = PolicyNetwork((len(features), 8, 2), "tanh")
    path = folder / "policy.safetensors"
    LearnedPolicy("tried", network, ACTIONS, {}, features).save(path)
    return path


def test_a_policy_comes_back_as_it_was(tmp_path: Path) -> None:
    loaded = LearnedPolicy.load(policy(tmp_path))
    assert loaded.name == "tried"
    assert to_spec(loaded.actions) == to_spec(ACTIONS)
    assert all(value.device.type == "cpu" for value in loaded.network.state_dict().values())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.floats(0, 1), some.integers(1, 255), some.booleans())
def test_no_changed_byte_of_a_policy_gets_through(tmp_path: Path, where: float, by: int, cut: bool) -> None:
    path = policy(tmp_path)
    content = bytearray(path.read_bytes())
    at = min(int(where * len(content)), len(content) - 1)
    if cut:
        content = content[:at]
    else:
        content[at] ^= by
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        LearnedPolicy.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sizes", [[30, 20_000_000, 2], [30] * 200_000, [30], [30, -1], [30, 2.5], "many", None]
)
def test_a_policy_that_claims_what_its_weights_are_not_takes_no_memory(sizes: object) -> None:
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        PolicyNetwork.of_weights(sizes, "tanh", {"standardise.mean": torch.zeros(30)})  # type: ignore[arg-type]


def test_a_forged_description_is_refused(tmp_path: Path) -> None:
    path = policy(tmp_path)
    save_file(load_file(path), path, metadata={"format": "mercato policy 4", "policy": "{}"})
    with pytest.raises(InputError, match="found it damaged"):
        LearnedPolicy.load(path)
