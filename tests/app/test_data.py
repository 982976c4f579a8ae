"""The tables that ``mercato data`` knows."""

from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

from mercato.app.cli import AnyTable, app
from mercato.envs.structural import FAMILIES, Truth, truth_folder
from mercato.forecasters.sources import SOURCES


def test_every_source_and_every_family_has_its_name():
    assert {table.value for table in AnyTable} == {*SOURCES, *FAMILIES, "reference"}


def test_a_family_is_written_with_its_truth(tmp_path: Path):
    out = tmp_path / "sparse.parquet"
    result = CliRunner().invoke(app, ["data", "sparse", "--out", str(out), "--seed", "3"])
    assert result.exit_code == 0
    truth = Truth.load(truth_folder(out))
    assert pd.read_parquet(out)["units"].sum() == truth.history.sales.sum().item()
    assert (truth.history.sales == 0).float().mean() > 0.4
