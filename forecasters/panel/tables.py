"""From a file or a data frame to one raw table with our column names, and back to a file."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import InputError
from ..files import replace_file
from ..names import meant
from .out_of_stock import SHARE, Unit, split_units

FIELDS = (
    *("date", "location", "item", "units"),
    *("price", "revenue", "category", "cost", "censored", "price_group", "lat", "lon"),
)
_LONGEST_HEADER = 2**18  # bytes
_MOST_COLUMNS = 1000
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_MISSING = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"]


@dataclass(frozen=True)
class Contract:
    """What the columns of a kind of table are."""

    what: str  # the kind, for messages: "sales table"
    ours: tuple[str, ...]  # columns that mean something to us, for which a table's own may be named
    text: tuple[str, ...]  # columns that stay text, so that store 007 and a region called NA keep their names
    key: bytes  # under which a parquet file that we wrote ourselves says more of itself


SALES = Contract(
    what="sales table",
    ours=(*FIELDS, "promo", "stock_on_hand", "competitor_price"),
    text=("date", "location", "item", "category", "price_group"),
    key=b"mercato.panel",
)


@dataclass(frozen=True)
class RawTable:
    """A table as it came, renamed to our columns, and what the file says about itself."""

    frame: pd.DataFrame
    declared: dict[str, Any]  # "notes" and more of a table that we wrote ourselves; of a panel "frequency" …
    notes: tuple[str, ...]
    unit: Unit = SHARE  # of ``censored``


def load_table(
    source: str | Path | pd.DataFrame,
    renames: Mapping[str, str],
    drop: Sequence[str] = (),
    contract: Contract = SALES,
) -> RawTable:
    """Read ``source`` and rename its columns (``renames``: ours -> theirs, ``censored`` perhaps with a unit).

    Raises:
        InputError: the source cannot be read, is empty, or lacks a column that ``renames`` or ``drop`` names.
    """
    if isinstance(source, pd.DataFrame):
        frame, name = source, "the data frame"
        declared: dict[str, Any] = {}
        how: tuple[str, ...] = ()
    else:
        if not isinstance(source, str | Path):
            found = type(source).__name__
            raise InputError(f"{contract.what}: expected a path or a data frame, found {found}")
        path = _existing_file(Path(source))
        frame, declared, how = _READERS[_suffix(path)](path, renames, contract)
        name = str(path)
    if any(level is not None for level in frame.index.names):
        frame = frame.reset_index()
    frame = frame.set_axis(frame.columns.astype(str), axis=1)
    if frame.empty:
        raise InputError(f"{name}: expected at least one row, found none")
    if frame.shape[1] > _MOST_COLUMNS:
        raise InputError(f"{name}: expected at most {_MOST_COLUMNS:,} columns, found {frame.shape[1]:,}")
    if absent := [column for column in drop if column not in frame.columns]:
        raise InputError(
            f"drop: expected columns of the table ({some(list(frame.columns))}), found {absent[0]!r:.60}"
            + meant(absent[0], list(frame.columns))
        )
    frame = frame.drop(columns=list(drop))
    renames, unit = split_units(renames, frame.columns, name)
    frame, notes = _renamed(frame, renames, name, contract.ours)
    return RawTable(frame, declared, (*how, *notes), unit)


def write_table(
    frame: pd.DataFrame, path: str | Path, contract: Contract, declared: Mapping[str, Any]
) -> None:
    """Write ``path`` (parquet) whole or not at all; ``load_table`` reads the frame and what it declares.

    Raises:
        InputError: the path does not end in .parquet or cannot be written.
    """
    path = Path(path)
    if path.suffix != ".parquet":
        raise InputError(f"{path}: expected a name ending in .parquet, found {path.suffix or 'no ending'}")
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata(
        {**(table.schema.metadata or {}), contract.key: json.dumps(declared).encode()}
    )
    try:
        replace_file(path, partial(pq.write_table, table))
    except OSError as error:
        raise InputError(f"{path}: expected a place to write to, found: {error}") from error


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


def read_csv(
    path: Path, renames: Mapping[str, str], contract: Contract = SALES
) -> tuple[pd.DataFrame, dict, tuple[str, ...]]:
    """The frame of a CSV file under its own names, what it declares, and how it was read.

    Raises:
        InputError: it is no such table.
    """
    try:
        head = _head(path)
        separator, header = _columns(head.split(b"\n", 1)[0], path)
        decimal = _decimal(head, separator)
        text = {renames.get(name, name) for name in contract.text}
        missing = {name: [""] if name in text else _MISSING for name in header}
        frame = pd.read_csv(
            path,
            sep=separator,
            decimal=decimal,
            dtype={name: str for name in header if name in text},
            na_values=missing,
            keep_default_na=False,
            low_memory=False,
        )
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: expected text in UTF-8, found the byte {error.object[error.start]:#04x};"
            " save it as CSV UTF-8"
        ) from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:  # pandas' own errors are ValueErrors
        raise InputError(f"{path}: expected a comma-separated table, found: {_one_line(error)}") from error
    if separator == ",":
        return frame, {}, ()
    mark = "comma" if decimal == "," else "point"
    return frame, {}, (f"read with {_SEPARATORS[separator]} between columns and a decimal {mark}",)


def _head(path: Path) -> bytes:
    """The first lines, among them the whole of the first one."""
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        head = file.read(_LONGEST_HEADER + 1)
    line = head.split(b"\n", 1)[0]
    if b"\0" in line:
        raise InputError(f"{path}: expected text in UTF-8, found bytes that are none in its first line")
    if len(line) > _LONGEST_HEADER:
        raise InputError(
            f"{path}: expected the columns' names in the first line, found one of more than"
            f" {_LONGEST_HEADER:,} characters"
        )
    return head


def _columns(line: bytes, path: Path) -> tuple[str, list[str]]:
    """What stands between the columns, and their names; pandas would count the second of two like ones up."""

    def names(separator: str) -> list[str]:
        header = pd.read_csv(
            BytesIO(line), sep=separator, header=None, nrows=1, dtype=str, keep_default_na=False
        )
        return list(header.iloc[0])

    separator, header = max(((s, names(s)) for s in _SEPARATORS), key=lambda found: len(found[1]))
    _refuse_twice(header, str(path))
    return separator, header


def _decimal(head: bytes, separator: str) -> str:
    """What stands before the decimals: where semicolons or tabs leave the comma free, perhaps that."""
    comma = rf"(?:^|{separator})\"?-?\d+,\d+\"?(?:{separator}|\r?$)".encode()
    return "," if separator != "," and re.search(comma, head, re.MULTILINE) else "."


def _refuse_twice(columns: Sequence[str], name: str) -> None:
    twice = [column for column, count in Counter(columns).items() if count > 1]
    if twice:
        raise InputError(f"{name}: expected each column once, found {', '.join(twice[:3])} more than once")


def _read_parquet(
    path: Path, renames: Mapping[str, str], contract: Contract
) -> tuple[pd.DataFrame, dict, tuple[str, ...]]:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        message = f"{path}: expected a whole parquet file, found: {_one_line(error)}"
        raise InputError(message) from error
    return table.to_pandas(), json.loads((table.schema.metadata or {}).get(contract.key, b"{}")), ()


_READERS = {".csv": read_csv, ".csv.gz": read_csv, ".parquet": _read_parquet, ".pq": _read_parquet}


def some(names: Sequence[str]) -> str:
    """The first of many names."""
    return ", ".join(f"{name:.40}" for name in names[:30]) + (" …" if len(names) > 30 else "")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _renamed(
    frame: pd.DataFrame, renames: Mapping[str, str], name: str, known: tuple[str, ...]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    columns = list(frame.columns)
    for ours, theirs in renames.items():
        if ours not in known:
            turned = ours in columns and theirs in known
            raise InputError(
                f"map: expected one of {', '.join(known)}, found {ours}"
                + (f"; the other way round: {theirs}={ours}" if turned else meant(ours, known))
            )
        if theirs not in columns:
            raise InputError(
                f"{name}: expected the column {theirs} that the map names for {ours}, found {some(columns)}"
                + meant(theirs, columns)
            )
    taken = set(renames.values())
    hidden = [column for column in columns if column in renames and column not in taken]
    notes = tuple(f"{ours}: read from {renames[ours]}; the table's own {ours} is left out" for ours in hidden)
    ours_of = {theirs: ours for ours, theirs in renames.items()}
    frame = frame.drop(columns=hidden).rename(columns=ours_of)
    _refuse_twice(list(frame.columns), name)
    return frame, notes
