"""What a fresh machine gets: every package in the wheel, one pinned torch, a light command line."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LAYERS = ("forecasters", "envs", "agents", "app")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_every_folder_of_code_is_a_package() -> None:
    """``find_packages`` skips a folder without ``__init__.py``, and the wheel would lack it."""
    folders = {path.parent for layer in LAYERS for path in (ROOT / layer).rglob("*.py")}
    assert [
        str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists()
    ] == []


def test_torch_is_pinned_once_within_the_declared_range() -> None:
    lines = [line.strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    (pin,) = [pin for pin in pins if pin.name == "torch"]
    (declared,) = [r for r in map(Requirement, PROJECT["dependencies"]) if r.name == "torch"]
    (version,) = [spec.version for spec in pin.specifier if spec.operator == "=="]
    assert declared.specifier.contains(version)


def test_no_dependency_is_pinned_where_users_install() -> None:
    for requirement in map(Requirement, PROJECT["dependencies"]):
        assert [spec.operator for spec in requirement.specifier] == [">="], requirement


def test_this_interpreter_is_supported() -> None:
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(
        ".".join(map(str, sys.version_info[:3]))
    )


@pytest.mark.parametrize(
    "library", ["torch", "pandas", "pyarrow", "matplotlib", "gymnasium", "stable_baselines3"]
)
def test_the_command_line_loads_nothing_heavy(library: str) -> None:
    code = f"import sys, mercato.app.cli; sys.exit({library!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
