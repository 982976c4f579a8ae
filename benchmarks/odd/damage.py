"""Damaged market folders and policies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mercato.agents.baselines.myopic import MyopicPrice
from mercato.agents.baselines.orders import BaseStock
from mercato.agents.corrections import OfLevel
from mercato.agents.learned import LearnedPolicy
from mercato.agents.network import PolicyNetwork
from mercato.agents.policy import Pair
from mercato.agents.residual import Residual
from mercato.envs.economics import Economics
from mercato.envs.engine.observation import Observation
from mercato.envs.store import fit_market, load_market
from mercato.envs.structural import FAMILIES, ROLES, Size
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network.training import TrainingSettings
from mercato.forecasters.panel import read_panel

from .verdict import Verdict, tried

_FILES = ("market.json", "model.json", "model.safetensors", "panel.parquet")


def make(folder: Path) -> None:
    """A small market and a policy, whole, in ``folder``."""
    frame, _ = FAMILIES["log-linear"].make(0, Size(2, 2, 40))
    brief = FitSettings(training=TrainingSettings(steps=2))
    market = fit_market(read_panel(frame, roles=ROLES), Economics(), folder / "market", brief)
    base = Pair("base", MyopicPrice(), BaseStock(1.0))
    actions = Residual.of(base, price_reach=0.2, orders=OfLevel(0.5))
    features = Observation.of(market).names
    network = PolicyNetwork((len(features), 8, 2), "tanh")
    LearnedPolicy("whole", network, actions, {}, features).save(folder / "policy.safetensors")


def try_market(seed: int, folder: Path) -> tuple[str, Verdict]:
    """What was done to a market's folder, and what became of it."""
    rng = np.random.default_rng(seed)
    harmed = folder / "harmed"
    shutil.rmtree(harmed, ignore_errors=True)
    shutil.copytree(folder / "market", harmed)
    path = harmed / str(rng.choice(_FILES))
    what = _harm(path, rng, _without_a_key if path.suffix == ".json" else None)
    same = path.is_file() and _same_json(path, folder / "market" / path.name)
    return f"{path.name}: {what}", tried(
        lambda: load_market(harmed), lambda _: "" if same else "taken as whole"
    )


def try_policy(seed: int, folder: Path) -> tuple[str, Verdict]:
    """What was done to a policy's file, and what became of it."""
    rng = np.random.default_rng(seed)
    harmed = folder / "harmed.safetensors"
    if harmed.is_dir():
        harmed.rmdir()
    shutil.copy(folder / "policy.safetensors", harmed)
    what = _harm(harmed, rng, None)
    return what, tried(lambda: LearnedPolicy.load(harmed), lambda _: "taken as whole")


def _harm(
    path: Path, rng: np.random.Generator, change: Callable[[Path, np.random.Generator], str] | None
) -> str:
    kind = int(rng.integers(5 if change is None else 6))
    content = path.read_bytes()
    at = int(rng.integers(len(content)))
    if kind == 0:
        path.unlink()
        return "absent"
    if kind == 1:
        path.write_bytes(content[:at])
        return f"cut at {at}"
    if kind == 2:
        path.write_bytes(bytes(rng.integers(0, 256, at + 1, dtype=np.uint8)))
        return "other bytes"
    if kind == 3:
        path.unlink()
        path.mkdir()
        return "a folder"
    if kind == 4 or change is None:
        more = bytearray(content)
        more[at] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(more))
        return f"byte {at}"
    return change(path, rng)


def _without_a_key(path: Path, rng: np.random.Generator) -> str:
    about = json.loads(path.read_text())
    key = str(rng.choice(list(about)))
    odd: tuple[Any, ...] = ({}, [], None, -1, 1e300, "x", [[1]], True)
    if rng.random() < 0.5:
        del about[key]
    else:
        about[key] = odd[int(rng.integers(len(odd)))]
    path.write_text(json.dumps(about))
    return f"key {key}"


def _same_json(path: Path, whole: Path) -> bool:
    try:
        return path.suffix == ".json" and json.loads(path.read_text()) == json.loads(whole.read_text())
    except ValueError:
        return False
