"""What a shop knows of its items, beside what its table shows: relations as priors, rules as bounds.

A relation of two items is a prior of how the demand of one answers the price of the other, weighed with what
the table shows by precision. A rule bounds an elasticity, whatever the table shows. Both say where they
change what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..errors import InputError
from ..events import Relations, Rule
from ..names import SHOWN
from ..response import WEAKEST
from .elasticity import Elasticities

PRIORS = {"substitute": (0.3, 0.3), "complement": (-0.2, 0.2)}
"""Mean and standard deviation of a cross elasticity before the table is seen; a successor's is left to it."""
_MOVED = 0.01  # of an elasticity, from which on it is worth saying
_ROUNDS, _CLOSE = 20, 1e-3
_NAMED = 5  # changes that are named


def with_knowledge(
    found: Elasticities, known: Relations, items: Sequence[str], categories: Sequence[str]
) -> tuple[Elasticities, tuple[str, ...]]:
    """Elasticities that keep to what is ``known``, and what that changed, a line each.

    Rules bound the means that every price is judged by. Draws of what the table leaves open lie around them.

    Raises:
        InputError: a rule leaves an own elasticity no negative value.
    """
    known = known.among(items, categories)
    at = {name: row for row, name in enumerate(items)}
    found, said = _own(found, [rule for rule in known.rules if not rule.other], at)
    before = found.cross
    wanted = before.clone()
    why: list[tuple[tuple[int, int], str]] = []
    for relation in known.relations:
        if relation.kind in PRIORS:
            cell = at[relation.item], at[relation.other]
            wanted[cell] = _weighed(found, before, *cell, *PRIORS[relation.kind])
            why.append((cell, relation.kind))
    for rule in known.rules:
        if rule.other:
            cell = at[rule.item], at[rule.other]
            wanted[cell] = wanted[cell].clamp(rule.low, rule.high)
            why.append((cell, "rule"))
    found = replace(found, choice=replace(found.choice, pairs=_pairs(found, wanted)))
    after = found.cross
    moved = [(cell, kind) for cell, kind in why if abs(float(after[cell] - before[cell])) > _MOVED]
    told = [
        f"{kind}: demand of {items[i]:.{SHOWN}} to the price of {items[j]:.{SHOWN}}"
        f" {float(before[i, j]):+.2f} → {float(after[i, j]):+.2f}"
        for (i, j), kind in moved[:_NAMED]
    ]
    more = [f"and {len(moved) - _NAMED} more pairs"] if len(moved) > _NAMED else []
    return found, (*said, *told, *more)


def _own(found: Elasticities, rules: Sequence[Rule], at: dict[str, int]) -> tuple[Elasticities, list[str]]:
    """With own elasticities within the rules."""
    ends = {name: getattr(found, name).clone() for name in ("own", "own_lo", "own_hi")}
    said = []
    for rule in rules:
        if rule.low > WEAKEST:
            raise InputError(
                f"rule: expected an own elasticity below {WEAKEST} to be allowed, found {rule.low:g} at least"
                f" for {rule.item:.{SHOWN}}"
            )
        item, high = at[rule.item], min(rule.high, WEAKEST)
        outside = (ends["own"][:, item] < rule.low) | (ends["own"][:, item] > high)
        if bool(outside.any()):
            bounds = f"{rule.low:.2f} … {high:.2f}"
            said.append(
                f"rule: own elasticity of {rule.item:.{SHOWN}} within {bounds}, which binds at"
                f" {int(outside.sum())} of {len(outside)} locations"
            )
        for values in ends.values():
            values[:, item] = values[:, item].clamp(min(rule.low, high), high)
    return replace(found, **ends), said


def _weighed(found: Elasticities, cross: Tensor, row: int, column: int, mean: float, spread: float) -> float:
    """Posterior mean of a cross elasticity, ``cross`` (I, I) being what the table shows.

    What the table shows of it is about as sure as the row's own elasticity, by how much either price moved.
    """
    moves = found.price_spread.clamp(min=1e-6)
    error = float(found.own_error[row] * moves[row] / moves[column])
    shown = 1 / max(error, 1e-6) ** 2
    return float((cross[row, column] * shown + mean / spread**2) / (shown + 1 / spread**2))


def _pairs(found: Elasticities, wanted: Tensor) -> Tensor:
    """(F, I, I) deviations of pairs under which cross elasticities are the ``wanted`` (I, I)."""
    own = found.own.mean(0).unsqueeze(-1)
    pairs, choice = found.choice.pairs, found.choice
    for _ in range(_ROUNDS):
        off = wanted - choice.cross(found.own)
        if float(off.abs().max()) < _CLOSE:
            break
        pairs = pairs + (off / -own).fill_diagonal_(0.0)
        choice = replace(choice, pairs=pairs)
    return torch.as_tensor(pairs)
