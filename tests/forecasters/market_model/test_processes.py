"""Pre-training in several processes: one result, whoever shares the work."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mercato.forecasters.errors import InputError
from mercato.forecasters.market_model import MarketModel, pretrain
from mercato.forecasters.tensors import Alone
from tests.forecasters.market_model.test_training import QUICK

SETTINGS = replace(QUICK, steps=4, batch=3, warm_up=2)


@pytest.mark.slow
def test_two_processes_train_what_one_trains(tmp_path: Path) -> None:
    """Three markets a step, which two do not share evenly; adding up in another order rounds otherwise."""
    alone = pretrain(tmp_path / "alone.safetensors", settings=SETTINGS)
    script = tmp_path / "both.py"
    script.write_text(
        "from pathlib import Path\n"
        "from mercato.forecasters.market_model import pretrain\n"
        "from mercato.forecasters.tensors import processes\n"
        "from tests.forecasters.market_model.test_processes import SETTINGS\n"
        f"pretrain(Path({str(tmp_path / 'both.safetensors')!r}), settings=SETTINGS, crew=processes())\n"
    )
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    root = Path(__file__).parents[3]
    told = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([*launcher, str(script)], check=True, cwd=root, env=told, capture_output=True)
    both = MarketModel.load(tmp_path / "both.safetensors")
    assert both.recipe["loss"] == pytest.approx(alone.recipe["loss"], rel=1e-5)
    for name, value in alone.network.state_dict().items():
        torch.testing.assert_close(both.network.state_dict()[name], value, atol=1e-4, rtol=1e-3, msg=name)


def test_each_process_draws_its_share_of_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mercato.forecasters.market_model import pretraining

    drawn: list[int] = []
    real = pretraining.drawn_lesson

    def draws(seed: int, number: int, settings: object) -> object:
        drawn.append(number)
        return real(seed, number, settings)  # type: ignore[arg-type]

    monkeypatch.setattr(pretraining, "drawn_lesson", draws)
    shares = []
    for index in (0, 1):
        drawn.clear()
        crew = Alone(index=index, count=2)
        pretrain(tmp_path / "half.safetensors", settings=replace(SETTINGS, steps=2), crew=crew)
        shares.append(drawn[1:])  # the first of all only shows how many features there are
    assert shares == [[0, 2, 3, 5], [1, 4]]


def test_more_processes_than_markets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected at most 3 processes, one a market, found 4"):
        pretrain(tmp_path / "model.safetensors", settings=SETTINGS, crew=Alone(count=4))


def test_a_process_that_does_not_see_the_checkpoint_is_refused(tmp_path: Path) -> None:
    class Ahead(Alone):
        def add_up(self, tensors: list[torch.Tensor]) -> None:  # type: ignore[override]
            for tensor in tensors:
                tensor.add_(100)

    with pytest.raises(InputError, match="expected a place that all processes see"):
        pretrain(tmp_path / "model.safetensors", settings=SETTINGS, crew=Ahead(count=2))
