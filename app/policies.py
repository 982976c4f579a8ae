"""Policies by name: the usual one, the baselines, and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..agents.policy import Policy
from ..agents.tuning import baseline_names, tune_baselines
from ..envs.market import Market
from ..forecasters.errors import InputError
from ..forecasters.names import meant
from ..forecasters.progress import SILENT, Progress
from .benchmarking import load_policies, started
from .whatif import usual_policy

USUAL = "usual"
Wanted = Policy | str
"""A policy, or the name of a baseline, which exists once it is tuned."""


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
    return each_once(tuned(market, wanted(market, sources), seed, progress))


def wanted(market: Market, sources: Sequence[Policy | str | Path | None]) -> list[Wanted]:
    """What ``sources`` name, read from its files and known, before anything is tuned.

    Raises:
        InputError: neither a name nor a file of a policy; says the nearest name.
    """
    named = [_name(source) for source in sources]
    known = (*map(short_name, baseline_names(market)), USUAL)
    for name in named:
        if name is not None and name not in known:
            raise InputError(
                f"policy: expected a file or one of {', '.join(known)}, found {name!r:.60}"
                f"{meant(name, known)}"
            )
    given = [source for source, name in zip(sources, named, strict=True) if name is None]
    read = iter(load_policies(given))  # type: ignore[arg-type]
    usual = usual_policy(market)
    return [next(read) if name is None else usual if name == USUAL else name for name in named]


def tuned(market: Market, policies: Sequence[Wanted], seed: int, progress: Progress = SILENT) -> list[Policy]:
    """The policies, baselines tuned, all of them at once, and those for many shops started."""
    baselines: dict[str, Policy] = {}
    if any(isinstance(policy, str) for policy in policies):
        for policy in tune_baselines(market, seed, progress=progress):
            baselines.setdefault(short_name(policy.name), policy)
    return [
        baselines[policy] if isinstance(policy, str) else started(policy, market, seed, progress)
        for policy in policies
    ]


def each_once(policies: list[Policy]) -> list[Policy]:
    """The policies, of which no two may share a name.

    Raises:
        InputError: two do.
    """
    names = [policy.name for policy in policies]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"policies: expected each one once, found {twice!r} {names.count(twice)} times")
    return policies


def short_name(name: str) -> str:
    """What a baseline is called where it is asked for by name."""
    return name.split(",")[0].replace(" ", "-")


def _name(source: Policy | str | Path | None) -> str | None:
    """The name of a policy that comes by it; None for a file, and what already is one."""
    if source is None:
        return USUAL
    if isinstance(source, str) and not Path(source).suffix and not Path(source).exists():
        return source
    return None
