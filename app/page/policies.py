"""The policies that the page offers: the usual one, the run's files, and the baselines that were compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...forecasters.errors import InputError
from .home import Home

USUAL = "usual"


def choices(home: Home, rules: Mapping[str, str]) -> dict[str, str]:
    """What to choose from, each with its name in full."""
    return {
        USUAL: "usual: prices of the table, base-stock orders",
        **{name: f"{name}, learned" for name in home.policies()},
        **{short: f"{full}, tuned first" for short, full in rules.items()},
    }


def sources(home: Home, rules: Mapping[str, str], chosen: Sequence[str]) -> list[str | Path]:
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
