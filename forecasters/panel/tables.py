"""From a file or a data frame to one raw table with our column names."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError
from .out_of_stock import SHARE, Unit, split_units

METADATA_KEY = b"mercato.panel"
TEXT_COLUMNS = ("date", "location", "item", "category", "price_group")
_MISSING = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"]


@dataclass(frozen=True)
class RawTable:
    """A table as it came, renamed to our columns, and what the file says about itself."""

    frame: pd.DataFrame
    declared: dict[str, Any]  # "frequency", "roles", "notes" of a panel that we wrote ourselves
    notes: tuple[str, ...]
    unit: Unit = SHARE  # of ``censored``


def load_table(source: str | Path | pd.DataFrame, renames: Mapping[str, str]) -> RawTable:
    """Read ``source`` and rename its columns (``renames``: ours -> theirs, ``censored`` perhaps with a unit).

    Raises:
        InputError: the source cannot be read, is empty, or lacks a column that ``renames`` names.
    """
    if isinstance(source, pd.DataFrame):
        frame, name = source, "the data frame"
        declared: dict[str, Any] = {}
    else:
        path = _existing_file(Path(source))
        frame, declared = _READERS[_suffix(path)](path, renames)
        name = str(path)
    if any(level is not None for level in frame.index.names):
        frame = frame.reset_index()
    frame = frame.set_axis(frame.columns.astype(str), axis=1)
    if frame.empty:
        raise InputError(f"{name}: expected at least one row, found none")
    renames, unit = split_units(renames, frame.columns, name)
    frame, notes = _renamed(frame, renames, name)
    return RawTable(frame, declared, notes, unit)


def _existing_file(path: Path) -> Path:
    if path.is_dir():
        raise InputError(f"{path}: expected a CSV or parquet file, found a directory")
    if not path.is_file():
        raise InputError(f"{path}: expected a CSV or parquet file, found no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: expected at least one row, found an empty file")
    return path


def _suffix(path: Path) -> str:
    for suffix in _READERS:
        if path.name.lower().endswith(suffix):
            return suffix
    raise InputError(
        f"{path}: expected a name ending in {', '.join(_READERS)}, found {path.suffix or 'no ending'}"
    )


def _read_csv(path: Path, renames: Mapping[str, str]) -> tuple[pd.DataFrame, dict]:
    """Keys stay text, so that store 007 and a region called NA keep their names."""
    try:
        header = pd.read_csv(path, nrows=0).columns
        text = {renames.get(name, name) for name in TEXT_COLUMNS}
        missing = {name: [""] if name in text else _MISSING for name in header}
        frame = pd.read_csv(
            path,
            dtype={name: str for name in header if name in text},
            na_values=missing,
            keep_default_na=False,
            low_memory=False,
        )
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:  # pandas' own errors are ValueErrors
        raise InputError(f"{path}: expected a comma-separated table, found: {_one_line(error)}") from error
    if len(header) == 1 and ";" in header[0]:
        raise InputError(f"{path}: expected a comma-separated table, found semicolons in its first line")
    return frame, {}


def _read_parquet(path: Path, renames: Mapping[str, str]) -> tuple[pd.DataFrame, dict]:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        message = f"{path}: expected a whole parquet file, found: {_one_line(error)}"
        raise InputError(message) from error
    return table.to_pandas(), json.loads((table.schema.metadata or {}).get(METADATA_KEY, b"{}"))


_READERS = {".csv": _read_csv, ".csv.gz": _read_csv, ".parquet": _read_parquet, ".pq": _read_parquet}


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _renamed(
    frame: pd.DataFrame, renames: Mapping[str, str], name: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    columns = list(frame.columns)
    for ours, theirs in renames.items():
        if theirs not in columns:
            raise InputError(
                f"{name}: expected the column {theirs} that the map names for {ours}, "
                f"found {', '.join(columns)}"
            )
    taken = set(renames.values())
    hidden = [column for column in columns if column in renames and column not in taken]
    notes = tuple(f"{ours}: read from {renames[ours]}; the table's own {ours} is left out" for ours in hidden)
    ours_of = {theirs: ours for ours, theirs in renames.items()}
    frame = frame.drop(columns=hidden).rename(columns=ours_of)
    twice = frame.columns[frame.columns.duplicated()].unique()
    if len(twice):
        raise InputError(f"{name}: expected each column once, found {', '.join(twice)} more than once")
    return frame, notes
