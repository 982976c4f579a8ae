"""What is known of items beside their sales: categories within categories, words, pictures as vectors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import InputError
from ..panel.columns import key_codes, numbers_of
from ..panel.sales_panel import CleaningReport
from ..panel.tables import Contract, load_table, some, write_table
from .quantities import rows

CONTRACT = Contract(
    what="items",
    ours=("item", "category", "text", "image"),
    text=("item", "category", "text", *(f"category_{level}" for level in range(1, 10))),
    key=b"mercato.items",
)
_WITHIN = ">"  # between a category and one within it
_SHOP_LEVEL = 2  # of a path: below the department, above kinds so narrow that nothing substitutes


@dataclass(frozen=True)
class Items:
    """I items; what is not known of one is empty or NaN."""

    names: tuple[str, ...]  # (I,) sorted
    paths: tuple[tuple[str, ...], ...]  # (I,) categories, the widest first
    text: tuple[str, ...]  # (I,)
    image: np.ndarray | None = None  # (I, D) float32; None where no item has any
    report: CleaningReport = field(default_factory=CleaningReport)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        size = "" if self.image is None else f", image={self.image.shape[1]}"
        return f"Items(items={len(self):,}{size})"

    def of(self, names: Sequence[str]) -> Items:
        """Of the items called ``names``, in their order; nothing is known of those that are not there."""
        at = {name: row for row, name in enumerate(self.names)}
        row = [at.get(name, -1) for name in names]
        image = None
        if self.image is not None:
            image = np.where((np.array(row) < 0)[:, None], np.nan, self.image[row]).astype(np.float32)
        return Items(
            tuple(names),
            tuple(self.paths[r] if r >= 0 else () for r in row),
            tuple(self.text[r] if r >= 0 else "" for r in row),
            image,
            self.report,
        )

    @property
    def categories(self) -> tuple[str, ...]:
        """(I,) what a sales panel takes for an item's category: the second level of its path, or its last."""
        return tuple(path_text(path[:_SHOP_LEVEL]) or "all" for path in self.paths)


def path_of(category: str) -> tuple[str, ...]:
    """The categories of a path that is written ``Food > Dairy > Milk``, the widest first."""
    parts = (" ".join(part.split()) for part in category.split(_WITHIN))
    return tuple(part for part in parts if part)


def path_text(path: Sequence[str]) -> str:
    """How a path is written; ``path_of`` reads it."""
    return f" {_WITHIN} ".join(path)


def read_items(source: str | Path | pd.DataFrame, *, map: Mapping[str, str] | None = None) -> Items:
    """Read a table of items, one row an item: CSV, parquet or a data frame.

    Args:
        source: with the column item and any of category (a path, ``Food > Dairy > Milk``; or category_1,
            category_2 …, the widest first), text, and an image's vector: image_0, image_1 …, or lists in a
            column image.
        map: column names, ours -> theirs.

    Raises:
        InputError: one line that says what was expected, what was found and where.
    """
    table = load_table(source, map or {}, (), CONTRACT)
    frame, notes = table.frame.reset_index(drop=True), [*table.declared.get("notes", ()), *table.notes]
    if "item" not in frame:
        raise InputError(f"items: expected the column item, found {some(list(frame.columns))}")
    code, names = key_codes(frame["item"])
    if (again := pd.Series(code).duplicated().to_numpy()).any():
        raise InputError(f"item: expected one row each, found {again.sum()} more, {rows(frame, again)}")
    order = np.argsort(code)
    frame, columns = frame.iloc[order], [str(name) for name in frame.columns]
    levels = sorted(name for name in columns if re.fullmatch(r"category_[1-9]", name))
    image, vector = _image(frame)
    used = {"item", "category", "text", *levels, *vector}
    notes += [f"{name}: left out, not learned of items" for name in columns if name not in used]
    return Items(
        names,
        _paths(frame, levels),
        tuple(_words(frame, "text")),
        image,
        CleaningReport(table.declared.get("rows_read", len(frame)), len(frame), tuple(dict.fromkeys(notes))),
    )


def write_items(items: Items, path: str | Path) -> None:
    """Write ``path`` (parquet), which ``read_items`` reads back as the same items.

    Raises:
        InputError: the path does not end in .parquet or cannot be written.
    """
    columns = {"item": items.names, "category": map(path_text, items.paths), "text": items.text}
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    if items.image is not None:
        frame["image"] = list(items.image)
    report = items.report
    write_table(frame, path, CONTRACT, {"rows_read": report.rows_read, "notes": report.notes})


def _words(frame: pd.DataFrame, name: str) -> list[str]:
    if name not in frame:
        return [""] * len(frame)
    return [" ".join(str(word).split()) for word in frame[name].astype(object).where(frame[name].notna(), "")]


def _paths(frame: pd.DataFrame, levels: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Of each item, from one column of whole paths or one column a level."""
    if "category" in frame:
        return tuple(map(path_of, _words(frame, "category")))
    told = zip(*(_words(frame, level) for level in levels), strict=True)
    return tuple(tuple(part for part in one if part) for one in told) or ((),) * len(frame)


def _image(frame: pd.DataFrame) -> tuple[np.ndarray | None, list[str]]:
    """(I, D) float32 vectors, NaN where an item has none, and the columns that they come from."""
    if "image" in frame:
        told = frame["image"].notna().to_numpy()
        if not told.any():
            return None, ["image"]
        sizes = sorted({np.size(one) for one in frame["image"][told]})
        if len(sizes) != 1:
            raise InputError(f"image: expected vectors of one length, found lengths {sizes[:5]}")
        try:
            vectors = np.array([np.ravel(one) for one in frame["image"][told]], dtype=np.float32)
        except (ValueError, TypeError):
            found = repr(frame["image"][told].iloc[0])
            raise InputError(f"image: expected vectors of numbers, found {found:.60}") from None
        image = np.full((len(frame), vectors.shape[1]), np.nan, dtype=np.float32)
        image[told] = vectors
        return image, ["image"]
    columns = [name for name in map(str, frame.columns) if re.fullmatch(r"image_\d+", name)]
    columns.sort(key=lambda name: int(name.removeprefix("image_")))
    if not columns:
        return None, []
    return np.stack([numbers_of(frame[name]) for name in columns], axis=1).astype(np.float32), columns
