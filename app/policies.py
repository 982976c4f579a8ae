"""Policies by name: the usual one, the baselines, and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..agents.policy import Policy
from ..agents.tuning import tune_baselines
from ..envs.market import Market
from ..forecasters.errors import InputError
from ..forecasters.names import meant
from ..forecasters.progress import SILENT, Progress
from .benchmarking import load_policies
from .whatif import usual_policy

USUAL = "usual"


def policies_named(
    market: Market,
    sources: Sequence[Policy | str | Path | None],
    seed: int,
    progress: Progress = SILENT,
) -> list[Policy]:
    """Policies from files, as they are, or by name.

    ``usual`` (or None) has the prices of the table with base-stock orders. Those of ``mercato benchmark``,
    tuned as there, go by their prices: ``cost-plus``, ``static-price``, …

    Raises:
        InputError: neither a name nor a file, or two of one name.
    """
    named = [_name(source) for source in sources]
    baselines: dict[str, Policy] = {}
    if any(name not in (None, USUAL) for name in named):
        for policy in tune_baselines(market, seed, progress=progress):
            baselines.setdefault(_short(policy.name), policy)
    known = {**baselines, USUAL: usual_policy(market)}
    for name in named:
        if name is not None and name not in known:
            raise InputError(
                f"policy: expected a file or one of {', '.join(known)}, found {name!r:.60}"
                f"{meant(name, tuple(known))}"
            )
    policies = load_policies(
        [source if name is None else known[name] for source, name in zip(sources, named, strict=True)]  # type: ignore[misc]
    )
    names = [policy.name for policy in policies]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"policies: expected each one once, found {twice!r} {names.count(twice)} times")
    return policies


def _name(source: Policy | str | Path | None) -> str | None:
    """The name of a policy that comes by it; None for a file, and what already is one."""
    if source is None:
        return USUAL
    if isinstance(source, str) and not Path(source).suffix and not Path(source).exists():
        return source
    return None


def _short(name: str) -> str:
    return name.split(",")[0].replace(" ", "-")
