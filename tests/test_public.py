"""``import mercato``: quick, complete, and found by completion."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import mercato

SOURCE = Path(__file__).parents[1] / "mercato" / "__init__.py"


def test_the_import_loads_nothing_heavy() -> None:
    said = (
        "import sys, mercato; print([m for m in ('torch', 'pandas', 'numpy', 'typer') if m in sys.modules])"
    )
    outcome = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert outcome.stdout == "[]\n"


@pytest.mark.parametrize(
    "name", ["fit", "forecast", "read_panel", "load_market", "train", "benchmark", "decide", "whatif", "why"]
)
def test_the_way_through_is_one_import_away(name: str) -> None:
    assert name in dir(mercato)
    documented = inspect.getdoc(getattr(mercato, name)) or ""
    assert len(documented.splitlines()[0]) > 20
    assert "Raises:" in documented


def test_all_that_is_promised_is_there() -> None:
    assert set(dir(mercato)) == set(mercato.__all__)
    for name in mercato.__all__:
        assert getattr(mercato, name).__doc__, name


def test_editors_are_told_the_names_that_exist() -> None:
    """The imports that type checkers and completion read are those that are made when a name is used."""
    (checked,) = [node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.If)]
    told = {
        (f".{node.module}", alias.name)
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == {(module, name) for name, module in mercato._HOME.items()}
    assert {name for _, name in told} | {"__version__"} == set(mercato.__all__)


def test_what_is_not_there_is_said_as_of_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'mercato' has no attribute 'fits'"):
        mercato.fits  # noqa: B018


def test_a_market_is_opened_without_what_only_learning_asks_for() -> None:
    said = "import sys, mercato.envs.store; print([m for m in ('scipy', 'sklearn') if m in sys.modules])"
    outcome = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert outcome.stdout == "[]\n"
