"""Odd settings: economics and scenarios as people might write them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mercato.envs.economics import Economics, read_economics
from mercato.envs.scenarios import Scenario, read_scenario

from .verdict import Verdict, tried

_TEXTS = (
    *("a: &a [1]\nb: *a", "lead_time: 1:30", "unmet: NO", "- 1", "", "{", "\x00", "%YAML 9.9", "? [1]\n: 2"),
    *(
        "lead_time: 2\nlead_time: 3",
        "holding_rate: .inf",
        "a:\n\t- b",
        "!!python/object:os.system {}",
        "[" * 3000,
    ),
    *(
        '{"lead_time": 1e999}',
        '{"lead_time": 1, "lead_time": 2}',
        "lead_time: !!int 3",
        "--- a\n--- b",
        "x: |\n  y",
    ),
)


def _value(rng: np.random.Generator, depth: int = 0) -> Any:
    kind = int(rng.integers(12))
    if kind > 6:
        return (1, 2, 0.5, 0.01, 0.9)[kind - 7]
    if kind == 0 and depth < 3:
        return [_value(rng, depth + 1) for _ in range(int(rng.integers(4)))]
    if kind == 1 and depth < 3:
        return {str(rng.choice(_names())): _value(rng, depth + 1) for _ in range(int(rng.integers(3)))}
    odd = (
        *(0, 1, 2, -1, 0.5, 1e-9, 1e308, 10**30, math.inf, math.nan, True, False, None),
        *("", "lost", "NO", "1:30", "007", "x" * 5000, "\u2028", "2024-01-01", "1e3", "[1]"),
    )
    return odd[int(rng.integers(len(odd)))]


def _names() -> list[str]:
    rules = list(Economics.model_fields["price_rules"].annotation.model_fields)  # type: ignore[union-attr]
    return [
        *Economics.model_fields,
        *rules,
        *Scenario.model_fields,
        "demand",
        "window",
        "items",
        "floor ",
        "",
    ]


def try_settings(seed: int, folder: Path) -> tuple[str, Verdict]:
    """What was written, and what became of it."""
    rng = np.random.default_rng(seed)
    is_json, is_scenario = bool(rng.random() < 0.4), bool(rng.random() < 0.4)
    path = folder / f"settings{'.json' if is_json else '.yaml'}"
    if rng.random() < 0.2:
        text = str(rng.choice(np.array(_TEXTS, dtype=object)))
    else:
        content: dict[str, Any] = {
            str(rng.choice(_names())): _value(rng) for _ in range(int(rng.integers(1, 4)))
        }
        if is_scenario:
            content["changes"] = [{"demand": _value(rng), "items": ["tea"]}]
        text = json.dumps(content) if is_json else yaml.safe_dump(content, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
    read = read_scenario if is_scenario else read_economics
    return text[:200], tried(lambda: read(path), _wrong)


def _wrong(found: Economics | Scenario) -> str:
    numbers = [x for x in _scalars(found.model_dump()) if isinstance(x, float | int)]
    return "" if all(math.isfinite(x) and abs(x) <= 1e12 for x in numbers) else "a number beyond bounds"


def _scalars(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [x for part in value.values() for x in _scalars(part)]
    if isinstance(value, list | tuple):
        return [x for part in value for x in _scalars(part)]
    return [value]
