"""Imports go one way, forecasters <- envs <- agents <- app, and heavy libraries stay in their layer."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAYERS = ("forecasters", "envs", "agents", "app")
MODULES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]


def imported(path: Path) -> list[tuple[str, ...]]:
    """Every module that a file names in an import, relative ones resolved from the repository's root."""
    package = path.relative_to(ROOT).parent.parts
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            names += [(*base, *(node.module or alias.name).split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(tuple(node.module.split(".")))
    return names


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_go_down_the_layers_and_are_relative(path: Path) -> None:
    layer = LAYERS.index(path.relative_to(ROOT).parts[0])
    for target in imported(path):
        assert target[0] != "mercato", f"{name(path)}: import {'.'.join(target)} relatively"
        if target[0] in LAYERS:
            assert LAYERS.index(target[0]) <= layer, f"{name(path)} looks up at {'.'.join(target)}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_libraries_stay_in_their_layer(path: Path) -> None:
    place, libraries = name(path), {target[0] for target in imported(path)}
    if place.startswith("forecasters/"):
        assert "gymnasium" not in libraries
    if not place.startswith("agents/") and place != "envs/adapters/sb3_vec_env.py":
        assert "stable_baselines3" not in libraries
    if not place.startswith("app/"):
        assert not {"typer", "rich"} & libraries
        assert "matplotlib" not in libraries or place == "envs/adapters/picture.py"


ROOMS = (  # of forecasters, each of which may look at those before it
    "tensors",
    "panel",
    "events",
    "sources",
    "statistics",
    "features",
    "response",
    "identification",
    "experiments",
    "network",
    "market_model",
    "customers",
    "simulation",
    "evaluation",
)
FORECASTERS = [path for path in MODULES if path.relative_to(ROOT).parts[0] == "forecasters"]


@pytest.mark.parametrize("path", FORECASTERS, ids=name)
def test_the_rooms_of_forecasters_are_entered_one_way(path: Path) -> None:
    inside = path.relative_to(ROOT).parts[1]
    if inside not in ROOMS:
        return
    for target in imported(path):
        if target[0] == "forecasters" and target[1:2] and target[1] in ROOMS:
            assert ROOMS.index(target[1]) <= ROOMS.index(inside), f"{name(path)} looks up at {target[1]}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_room_of_forecasters_is_entered_by_its_door(path: Path) -> None:
    parts = path.relative_to(ROOT).parts
    for target in imported(path):
        if target[0] == "forecasters" and len(target) > 2 and target[1] in set(ROOMS) - {"panel", "sources"}:
            assert parts[:2] == target[:2], f"{name(path)}: import it from forecasters.{target[1]}"


def test_the_layers_are_all_there() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(LAYERS)
