"""What a shop knows of its items together: which replace, complete or follow which, and bounds of effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Literal, TypeVar, get_args

import pandas as pd

from ..errors import InputError
from ..panel.sales_panel import CleaningReport
from ..panel.tables import Contract, load_table, some, write_table

Together = Literal["substitute", "complement", "successor"]
TOGETHER: tuple[Together, ...] = get_args(Together)
RULE = "rule"
CONTRACT = Contract(
    what="relations",
    ours=("item", "other", "relation", "sign", "low", "high"),
    text=("item", "other", "relation", "sign", "low", "high"),
    key=b"mercato.relations",
)
T = TypeVar("T", "Relation", "Rule")
_SIGNS = {"+": (0.0, inf), "-": (-inf, 0.0), "0": (0.0, 0.0), "": (-inf, inf)}


@dataclass(frozen=True)
class Relation:
    """``item`` replaces ``other``, goes with it, or is its successor; each an item's name or a category's."""

    item: str
    other: str
    kind: Together


@dataclass(frozen=True)
class Rule:
    """Bounds of an elasticity: how the demand of ``item`` answers the price of ``other``."""

    item: str
    other: str  # empty: its own price
    low: float
    high: float


@dataclass(frozen=True)
class Relations:
    """All that a shop tells of its items together."""

    relations: tuple[Relation, ...] = ()
    rules: tuple[Rule, ...] = ()
    report: CleaningReport = field(default_factory=CleaningReport)

    def among(self, items: Sequence[str], categories: Sequence[str] = ()) -> Relations:
        """Those of ``items`` (I,) alone; a category's items, by ``categories`` (I,), stand in its place.

        What names neither is left out and counted.
        """
        members = {"": [""]}
        for item, category in zip(items, categories or items, strict=True):
            members.setdefault(category, []).append(item)
        members |= {item: [item] for item in items}
        told: tuple[Relation | Rule, ...] = (*self.relations, *self.rules)
        strange = [one for one in told if not {one.item, one.other} <= members.keys()]
        names = list(dict.fromkeys(n for one in strange for n in (one.item, one.other) if n not in members))
        note = f"item: {len(strange)} rows left out that name no item or category here: {some(names[:5])}"
        notes = (*self.report.notes, *([note] if strange else []))

        def each(told: Sequence[T]) -> tuple[T, ...]:
            pairs = (
                replace(one, item=item, other=other)
                for one in told
                for item in members.get(one.item, ())
                for other in members.get(one.other, ())
                if item != other
            )
            return tuple(dict.fromkeys(pairs))

        return Relations(each(self.relations), each(self.rules), replace(self.report, notes=notes))


def read_relations(source: str | Path | pd.DataFrame, *, map: Mapping[str, str] | None = None) -> Relations:
    """Read what relates items: CSV, parquet or a data frame, one row a pair.

    Args:
        source: with the columns item, other and relation: substitute, complement, successor (item follows
            other) or rule. A rule bounds the elasticity of the item's demand in the other's price, or in its
            own where other is empty, by the columns low and high or by a sign: +, - or 0. A category stands
            for its items.
        map: column names, ours -> theirs.

    Raises:
        InputError: one line that says what was expected, what was found and where.
    """
    table = load_table(source, map or {}, (), CONTRACT)
    frame, notes = table.frame, [*table.declared.get("notes", ()), *table.notes]
    if missing := [name for name in ("item", "relation") if name not in frame]:
        raise InputError(
            f"relations: expected the columns item, other and relation; {', '.join(missing)} not found among"
            f" {some(list(frame.columns))}"
        )
    notes += [f"{name}: left out, no part of a relation" for name in frame if name not in CONTRACT.ours]
    told = frame.reindex(columns=list(CONTRACT.ours)).astype(object)
    cells = told.where(told.notna(), "").map(lambda word: str(word).strip())
    rows: list[dict[str, str]] = cells.to_dict("records")  # type: ignore[assignment]
    found = dict.fromkeys(_entry(row, number) for number, row in enumerate(rows, start=1))
    if len(found) < len(frame):
        notes.append(f"item, other: {len(frame) - len(found)} rows repeat another, left out")
    relations = tuple(one for one in found if isinstance(one, Relation))
    _refuse_contradictions(relations)
    read = table.declared.get("rows_read", len(frame))
    report = CleaningReport(read, len(found), tuple(dict.fromkeys(notes)))
    return Relations(relations, tuple(one for one in found if isinstance(one, Rule)), report)


def write_relations(relations: Relations, path: str | Path) -> None:
    """Write ``path`` (parquet), which ``read_relations`` reads back as the same relations.

    Raises:
        InputError: the path does not end in .parquet or cannot be written.
    """
    told = [(one.item, one.other, str(one.kind), "", "") for one in relations.relations]
    told += [(one.item, one.other, RULE, str(one.low), str(one.high)) for one in relations.rules]
    frame = pd.DataFrame(told, columns=["item", "other", "relation", "low", "high"], dtype=object)
    report = relations.report
    write_table(frame, path, CONTRACT, {"rows_read": report.rows_read, "notes": report.notes})


def _entry(row: Mapping[str, str], number: int) -> Relation | Rule:
    """What a row, counted from 1, tells. Raises InputError where it tells nothing."""

    def refused(expected: str, *columns: str) -> InputError:
        found = ", ".join(f"{row[name]!r:.40}" for name in columns)
        return InputError(f"{', '.join(columns)}: expected {expected}, found {found} (row {number})")

    item, other, word = row["item"], row["other"], row["relation"].lower()
    kind = next((one for one in TOGETHER if one == word), None)
    if kind is None and word != RULE:
        raise refused(f"{', '.join(TOGETHER)} or {RULE}", "relation")
    if not item or item == other or (kind and not other):
        raise refused("the names of two", "item", "other")
    if kind:
        return Relation(item, other, kind)
    if row["sign"] not in _SIGNS:
        raise refused("+, - or 0", "sign")
    try:
        ends = zip(("low", "high"), _SIGNS[row["sign"]], strict=True)
        told = [(float(row[name]) if row[name] else end, end) for name, end in ends]
    except ValueError:
        raise refused("numbers", "low", "high") from None
    low, high = max(told[0]), min(told[1])
    if not low <= high or (low, high) == _SIGNS[""]:
        raise refused("a sign, or bounds from low to high", "sign", "low", "high")
    return Rule(item, other, low, high)


def _refuse_contradictions(relations: Sequence[Relation]) -> None:
    """Raises InputError where two are said to replace each other and to go together."""
    kinds: dict[frozenset[str], set[Together]] = {}
    for one in relations:
        kinds.setdefault(frozenset((one.item, one.other)), set()).add(one.kind)
    both = [sorted(pair) for pair, found in kinds.items() if {"substitute", "complement"} <= found]
    if both:
        raise InputError(
            f"relation: expected substitute or complement, found both of {len(both)} pairs, first:"
            f" {' and '.join(both[0])}"
        )
