"""The tables that ``mercato data`` knows."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from mercato.app.benchmarking import behind
from mercato.app.cli import AnyTable, app
from mercato.envs.structural import FAMILIES, Size, Truth, true_market, truth_folder
from mercato.forecasters.errors import InputError
from mercato.forecasters.sources import SOURCES


def test_every_source_and_every_family_has_its_name():
    assert {table.value for table in AnyTable} == {*SOURCES, *FAMILIES, "reference"}


def test_the_truth_of_another_panel_is_refused(tmp_path: Path):
    size = Size(2, 2, 30)
    own, other = (FAMILIES["log-linear"].make(seed, size)[1] for seed in (0, 1))
    market = true_market(own)
    for truth in (own, other, FAMILIES["log-linear"].make(0, Size(2, 2, 20))[1]):
        truth.save(tmp_path / str(len(list(tmp_path.iterdir()))))
    assert behind(market, tmp_path / "0").items == market.items
    with pytest.raises(InputError, match="expected the truth of the panel that truth was fitted on, found"):
        behind(market, tmp_path / "1")
    with pytest.raises(InputError, match="found one without 10 of its 30 dates"):
        behind(market, tmp_path / "2")


def test_a_family_is_written_with_its_truth(tmp_path: Path):
    out = tmp_path / "sparse.parquet"
    result = CliRunner().invoke(app, ["data", "sparse", "--out", str(out), "--seed", "3"])
    assert result.exit_code == 0
    truth = Truth.load(truth_folder(out))
    assert pd.read_parquet(out)["units"].sum() == truth.history.sales.sum().item()
    assert (truth.history.sales == 0).float().mean() > 0.4
