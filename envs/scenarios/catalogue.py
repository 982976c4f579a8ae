"""Ready scenarios, by name."""

from __future__ import annotations

from pathlib import Path

import yaml

_FOLDER = Path(__file__).parent / "ready"


def names() -> tuple[str, ...]:
    """The ready scenarios."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def path(name: str) -> Path:
    """The file of a ready scenario."""
    return _FOLDER / f"{name}.yaml"


def about() -> dict[str, str]:
    """What each ready scenario is, in the words of its own ``name``."""
    return {name: str(yaml.safe_load(path(name).read_text(encoding="utf-8"))["name"]) for name in names()}
