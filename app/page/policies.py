"""The policies that the page offers: the usual one, the run's files, and the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...forecasters.errors import InputError
from .home import Home

USUAL = "usual"


def choices(home: Home, rules: Sequence[str]) -> dict[str, str]:
    """What to choose from, each with its name in full."""
    return {
        USUAL: "usual: prices of the table, base-stock orders",
        **{name: f"{name}, learned" for name in home.policies()},
        **{name: f"{name}, tuned first" for name in rules},
    }


def sources(home: Home, rules: Sequence[str], chosen: Sequence[str]) -> list[str | Path]:
    """What ``mercato whatif --policies`` would be given for what was chosen.

    Raises:
        InputError: nothing was chosen, or something that was not offered.
    """
    files = home.policies()
    for one in chosen:
        if one not in choices(home, rules):
            raise InputError(f"policies: expected some of those that are offered, found {one!r:.60}")
    if not chosen:
        raise InputError("policies: expected at least one, found none")
    return [files.get(one, one) for one in chosen]
