"""Read a table of events: check it, tell customers, items and kinds apart, count all that is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..names import renumbered
from ..panel.columns import factorized, key_codes
from ..panel.dates import times_of
from ..panel.sales_panel import CleaningReport
from ..panel.tables import Contract, load_table, some
from .attributes import attributes_of
from .events import KINDS, Events, Kind
from .quantities import BUY, RETURN, Quantities, quantities_of, rows

CONTRACT = Contract(
    what="events",
    ours=(
        *("time", "customer", "event", "item", "units", "price", "revenue", "cost", "location", "channel"),
        *("session", "propensity", "referrer", "text"),
    ),
    text=("time", "customer", "event", "item", "location", "channel", "session", "referrer", "text"),
    key=b"mercato.events",
)
_ALSO: dict[str, Kind] = {  # what other systems call them
    **dict.fromkeys(("purchase", "order", "sale", "transaction"), "buy"),
    **dict.fromkeys(("refund", "returned"), "return"),
    **dict.fromkeys(("add_to_cart", "addtocart", "add to cart"), "cart"),
    **dict.fromkeys(("page_view", "pageview"), "view"),
}
_CROWD, _SHARE = 100, 0.02  # customers, and of all events: one of so many with more is perhaps none


def read_events(
    source: str | Path | pd.DataFrame, *, map: Mapping[str, str] | None = None, drop: Sequence[str] = ()
) -> Events:
    """Read what customers did: a CSV file, a parquet file or a data frame, one row an event.

    Args:
        source: a path ending in .csv, .csv.gz or .parquet, or a data frame. Required columns: time and
            customer, which is empty where nobody knows who it was. Without the column event every row is a
            purchase: a file of receipts. Of an event may further be told item, units, price (or revenue, from
            which price = revenue / units), cost, location, channel, session, propensity, referrer and text. A
            column of another name with one value a customer is an attribute of customers.
        map: names, ours -> theirs: of columns (``{"customer": "card_no"}``) and of kinds of events
            (``{"buy": "checkout"}``).
        drop: columns of the table to leave out.

    Raises:
        InputError: one line that says what was expected, what was found and where.
    """
    if map is not None and not isinstance(map, Mapping):
        raise InputError(f"map: expected a mapping of our names to the table's, found {type(map).__name__}")
    columns = {ours: theirs for ours, theirs in (map or {}).items() if ours not in KINDS}
    named = {str(theirs).strip().lower(): ours for ours, theirs in (map or {}).items() if ours in KINDS}
    table = load_table(source, columns, drop, CONTRACT)
    notes = [*table.declared.get("notes", ()), *table.notes]
    frame = table.frame.reset_index(drop=True)
    _require(frame)
    time, kind = times_of(frame["time"], notes), _kinds(frame, named, notes)
    quantities = quantities_of(frame, kind, notes)
    nothing = np.isin(quantities.kind, (BUY, RETURN)) & (quantities.units == 0)
    keep = (kind >= 0) & ~nothing & _first_told(frame, time, notes)
    if not keep.any():
        found = f"none in {len(frame)} rows{_instead(frame, kind)}"
        raise InputError(f"event: expected some of {', '.join(KINDS)}, found {found}")
    read = table.declared.get("rows_read", len(frame))
    events = _sorted(frame[keep], time[keep], quantities.take(keep), notes)
    return Events(**events, report=CleaningReport(read, int(keep.sum()), tuple(dict.fromkeys(notes))))


def _require(frame: pd.DataFrame) -> None:
    if missing := [name for name in ("time", "customer") if name not in frame]:
        raise InputError(
            f"events: expected the columns time and customer; {', '.join(missing)} not found among"
            f" {some(list(frame.columns))}; name it: {missing[0]}=THEIRS"
        )


def _kinds(frame: pd.DataFrame, named: Mapping[str, Kind], notes: list[str]) -> np.ndarray:
    """(R,) int8 index into KINDS of each row, -1 of what is none."""
    if "event" not in frame:
        if named:
            raise InputError(f"map: expected the column event, which {some(list(named))} is of, found none")
        notes.append(f"event: no such column, {len(frame)} rows taken as purchases")
        return np.full(len(frame), KINDS.index("buy"), dtype=np.int8)
    code, values = factorized(frame["event"])
    words = [str(value).strip().lower() for value in values]
    if absent := [word for word in named if word not in words]:
        raise InputError(f"map: expected words of the column event, {some(words[:5])}, found {some(absent)}")
    known: dict[str, Kind] = {**dict(zip(KINDS, KINDS, strict=True)), **_ALSO, **named}
    index = [KINDS.index(known[word]) if word in known else -1 for word in words]
    kind = np.array([*index, -1], dtype=np.int8)[code]
    if (unknown := kind < 0).any():
        odd = [word for word in words if word not in known]
        what = some(odd[:5]) if odd else "empty cells"
        notes.append(
            f"event: {unknown.sum()} rows left out that are none of {', '.join(KINDS)}: {what},"
            f" {rows(frame, unknown)}" + (f"; to keep them, name them: buy={odd[0]:.40}" if odd else "")
        )
    return kind


def _instead(frame: pd.DataFrame, kind: np.ndarray) -> str:
    """The words that stand in the column event where no row is of a known kind, and what to do about it."""
    if "event" not in frame or (kind >= 0).any() or not len(words := factorized(frame["event"])[1]):
        return ""
    found = some([str(word) for word in words[:5]])
    return f" but {found}; name what a purchase is called: buy={words[0]!s:.40}"


def _first_told(frame: pd.DataFrame, time: np.ndarray, notes: list[str]) -> np.ndarray:
    """(R,) bool, False of rows that repeat another in every column, to the second and of a known customer."""
    keys = [factorized(frame[name])[0] for name in ("customer", "item") if name in frame]
    same = pd.DataFrame(dict(enumerate([time, *keys]))).duplicated(keep=False).to_numpy()
    again = np.zeros(len(frame), dtype=bool)
    again[same] = frame[same].map(str).duplicated().to_numpy()
    vague = again & ((time == time.astype("datetime64[D]")) | frame["customer"].isna().to_numpy())
    repeat = "rows repeat another in every column"
    if vague.any():
        notes.append(
            f"time: {vague.sum()} {repeat}, kept, since a date, or nobody known, tells no event from another,"
            f" {rows(frame, vague)}"
        )
    if (twice := again & ~vague).any():
        notes.append(f"time: {twice.sum()} {repeat}, left out, {rows(frame, twice)}")
    return ~twice


def _sorted(
    frame: pd.DataFrame, time: np.ndarray, quantities: Quantities, notes: list[str]
) -> dict[str, Any]:
    """The fields of ``Events``, by time and customer."""
    customer, customers = _codes(frame, "customer")
    _note_anonymous(frame, customer, customers, notes)
    beside = [name for name in map(str, frame.columns) if name not in CONTRACT.ours]
    attributes = attributes_of(frame, beside, customer, len(customers), notes)
    order = np.lexsort((customer, time))
    frame, quantities, customer = frame.iloc[order], quantities.take(order), customer[order]
    item, items = _codes(frame, "item")
    if (bare := (item < 0) & (quantities.kind == KINDS.index("buy"))).any():
        notes.append(
            f"item: {bare.sum()} purchases tell none: they count as visits alone, {rows(frame, bare)}"
        )
    location, locations = _codes(frame, "location")
    channel, channels = _codes(frame, "channel")
    session = factorized(frame["session"])[0] if "session" in frame else np.full(len(frame), -1)
    return {
        "customers": customers,
        "items": items,
        "locations": locations,
        "channels": channels,
        "customer": customer,
        "time": time[order],
        "kind": quantities.kind,
        "item": item,
        "location": location,
        "channel": channel.astype(np.int16),
        "session": session.astype(np.int32),
        "units": quantities.units.astype(np.float32),
        "price": quantities.price.astype(np.float32),
        "propensity": quantities.propensity.astype(np.float32),
        "referrer": _referrers(frame, customer, customers, notes),
        "text": _texts(frame),
        "cost": quantities.cost.astype(np.float32) if np.isfinite(quantities.cost).any() else None,
        "attributes": attributes,
    }


def _codes(frame: pd.DataFrame, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """(R,) int32 index of each row among the names of a column, -1 where it is empty; the names, sorted."""
    code = np.full(len(frame), -1, dtype=np.int32)
    if name not in frame or not (told := frame[name].notna().to_numpy()).any():
        return code, ()
    code[told], names = key_codes(frame[name][told])
    blank = np.array([not name.strip() for name in names])
    if not blank.any():
        return code, names
    renumbered = np.append(np.where(blank, -1, np.cumsum(~blank) - 1), -1).astype(np.int32)
    return renumbered[code], tuple(name for name in names if name.strip())


def _note_anonymous(
    frame: pd.DataFrame, customer: np.ndarray, customers: tuple[str, ...], notes: list[str]
) -> None:
    if (nobody := customer < 0).any():
        notes.append(
            f"customer: {nobody.sum()} of {len(frame)} rows tell none: they count in sums alone,"
            f" {rows(frame, nobody)}"
        )
    if len(customers) > _CROWD:
        count = np.bincount(customer[~nobody], minlength=len(customers))
        if (share := count.max() / len(frame)) > _SHARE:
            notes.append(
                f"customer: {customers[count.argmax()]} has {share:.0%} of all rows; if it stands for whoever"
                " is not known, leave it empty"
            )


def _referrers(
    frame: pd.DataFrame, customer: np.ndarray, customers: tuple[str, ...], notes: list[str]
) -> np.ndarray:
    """(R,) int32 index among the customers of who told each one, -1 unknown; nobody tells himself."""
    told, names = _codes(frame, "referrer")
    referrer = renumbered(told, names, customers)
    if (strange := (told >= 0) & (referrer < 0)).any():
        notes.append(
            f"referrer: {strange.sum()} rows name a customer without events, such as"
            f" {names[told[strange][0]]:.40}, left out, {rows(frame, strange)}"
        )
    if (own := (referrer >= 0) & (referrer == customer)).any():
        notes.append(f"referrer: {own.sum()} rows name the customer, left out, {rows(frame, own)}")
    return np.where(own, -1, referrer).astype(np.int32)


def _texts(frame: pd.DataFrame) -> np.ndarray | None:
    """(R,) object, what was written, empty where nothing was; None where nobody wrote anything."""
    if "text" not in frame or not frame["text"].notna().any():
        return None
    return frame["text"].astype(object).where(frame["text"].notna(), "").map(str).to_numpy(dtype=object)
