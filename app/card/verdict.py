"""The verdict of a card: three lines of plain words that follow from its numbers by stated rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from ...forecasters.evaluation import MARKET
from ..report.words import MEMORISED, off, percent, period_name, two

NARROW = 0.4  # half width of an elasticity's 90% interval up to which price changes can be planned on it
LISTS = 0.06  # half width of the interval of a category's units at ±10%, up to which lists can be planned
BIAS = 0.1  # share of held-out demand by which the mean forecast may miss the total
COVERS = 0.05  # by which 80% intervals of the backtest may hold too little
DISTANCE = 0.05  # of the randomised PIT from uniform, where there are rows enough to tell
_LIKE, _VARIES = 0.05, 0.25  # errors of simulated mean and variance up to which the market behaves alike
_DRIFTS, _CARRIES, _JOINT = 0.15, 0.1, 0.2  # of a stretch's total; differences of auto- and correlation
_YEARS = 2.0  # of history, from which a season has come back

Price = Literal["known", "vague", "near zero", "unmoved"]


@dataclass(frozen=True)
class ItemResponse:
    """What is known of the price response of an item, in the middle of its locations."""

    item: str
    half: float  # half width of the 90% interval of the own elasticity
    state: Price
    low: float  # lowest and highest price tried, multiples of the usual one
    high: float


def verdict(card: dict[str, Any]) -> dict[str, str]:
    """``trust``, ``distrust`` and ``help``: what to use the market for, what not, what would help most."""
    items = list(item_responses(card))
    return {
        "trust": _line(_trust(card, items), "nothing yet: the last line says what data would help"),
        "distrust": _line(_distrust(card, items), "nothing in particular"),
        "help": _line(
            list(_help(card, items))[:3], "more data of the same kind: every interval narrows with it"
        ),
    }


def item_responses(card: dict[str, Any]) -> Iterator[ItemResponse]:
    """Every item's price response, judged.

    *unmoved*: its price taught nothing, a prior speaks. *near zero*: the interval reaches the weakest
    elasticity that the model allows, so that even the sign is the model's. *vague*: wider than ±0.4.
    """
    unmoved = {row["item"]: row["prior_only"] for row in card["identification"]["items"]}
    for item, own in _by_item(card["elasticity"]["own"]):
        prices = [row for row in card["support"] if row["item"] == item]
        low, high = (median(row[end] / row["reference"] for row in prices) for end in ("low", "high"))
        half = median((row["hi"] - row["lo"]) / 2 for row in own)
        state: Price = "known" if half <= NARROW else "vague"
        if median(row["hi"] for row in own) >= card["elasticity"]["weakest"] - 1e-6:
            state = "near zero"
        if unmoved[item]:
            state = "unmoved"
        yield ItemResponse(item, half, state, low, high)


def _trust(card: dict[str, Any], items: list[ItemResponse]) -> Iterator[str]:
    known = [item for item in items if item.state == "known"]
    if known and not _memorised(card):
        low, high = median(item.low for item in known), median(item.high for item in known)
        widest = max(item.half for item in known)
        which = f"{len(known)} of {len(items)} items" if len(known) < len(items) else "every item"
        yield (
            f"price changes within {low:.2f}× … {high:.2f}× of the usual price on {which}"
            f" (elasticity known to ±{widest:.2f} or better)"
        )
    sure, _ = _lists(card)
    if sure and not _memorised(card):
        within = f"all prices ±10%: units known to ±{percent(LISTS, 0)}"
        yield f"price lists like those of the past in {_names(sure)} ({within})"
    told, spread = card["backtest"], _coverage(card)
    if told is not None and _level_holds(told) and _beats_naive(told):
        yield f"sales up to {_ahead(card)} ahead ({_held_out(told)})"
    if spread is not None and not _miscalibrated(card):
        yield (
            f"forecast intervals one {period_name(card['frequency'])} ahead"
            f" (80% intervals contained {percent(spread, 0)})"
        )
    if told is not None and _level_holds(told) and not any(_unlike(card)):
        yield (
            f"simulated runs of {_stretch(card)} at prices like those of the past"
            " (level and variation like real sales)"
        )


def _lists(card: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Categories whose answer to all of their prices at once is known, and those where it is not."""
    widest: dict[str, float] = {}
    for row in card["together"]["categories"]:
        half = (row["hi"] - row["lo"]) / 2
        widest[row["category"]] = max(widest.get(row["category"], 0.0), half)
    sure = [name for name, half in widest.items() if half <= LISTS]
    return sure, [name for name in widest if name not in sure]


def _distrust(card: dict[str, Any], items: list[ItemResponse]) -> Iterator[str]:
    yield from _doubtful_response(card, items)
    yield from _doubtful_forecasts(card)
    different = ", ".join(_unlike(card))
    if different:
        yield f"simulated runs of {_stretch(card)} ({different})"
    yield "prices that were never tried"


def _doubtful_response(card: dict[str, Any], items: list[ItemResponse]) -> Iterator[str]:
    if _memorised(card):
        yield "any elasticity: the first stage of the fit overfits past prices"
    for state, why in (
        ("unmoved", "the price never changed, so the value is an assumption"),
        ("near zero", "cannot be distinguished from no response"),
        ("vague", "known to ±{half:.2f} or worse"),
    ):
        such = [item for item in items if item.state == state]
        if such:
            reason = why.format(half=min(item.half for item in such))
            yield f"the price response of {_names(item.item for item in such)} ({reason})"
    _, unsure = _lists(card)
    if unsure:
        yield f"changing all prices of {_names(unsure)} together (change single prices only)"
    if card["identification"]["instrument"] is None:
        yield (
            "elasticities, if something that is not in the table moved price and demand together:"
            " without a cost shifter this cannot be checked"
        )


def _doubtful_forecasts(card: dict[str, Any]) -> Iterator[str]:
    told, spread = card["backtest"], _coverage(card)
    if told is None:
        yield "any forecast: the table is too short to hold out periods"
        return
    if not _level_holds(told):
        yield f"the level of sales ({_held_out(told)})"
    elif not _beats_naive(told):
        yield "forecasts (a simple forecaster did better on the held-out periods)"
    held = told["models"][MARKET]["coverage80"]
    if held is not None and held < 0.8 - COVERS:
        yield f"forecast intervals up to {_ahead(card)} ahead (80% intervals contained {percent(held, 0)})"
    if spread is not None and _miscalibrated(card):
        yield (
            f"forecast intervals one {period_name(card['frequency'])} ahead"
            f" ({_how_off(card['calibration'])}; distance from calibration"
            f" {card['calibration']['distance']:.2f})"
        )


def _help(card: dict[str, Any], items: list[ItemResponse]) -> Iterator[str]:
    if card["identification"]["instrument"] is None:
        yield "a cost column declared as a cost shifter (--role COLUMN=instrument)"
    order = {"unmoved": 0, "near zero": 1, "vague": 2}
    unclear = sorted(
        (item for item in items if item.state != "known"), key=lambda item: (order[item.state], -item.half)
    )
    if unclear:
        yield f"small deliberate price changes on {_names(item.item for item in unclear)}"
    if not card["data"]["stocked_out"]:
        yield (
            "a record of stock-outs (stock_on_hand or censored): the table shows none, so sales are"
            " taken as demand"
        )
    if card["data"]["years"] < _YEARS:
        yield f"more history: no season is seen twice in {card['data']['years']:.1f} years"


def _ahead(card: dict[str, Any]) -> str:
    return f"{card['backtest']['horizon']} {period_name(card['frequency'])}s"


def _memorised(card: dict[str, Any]) -> bool:
    ratio = card["fit"]["overfit"]
    return ratio is not None and ratio < MEMORISED


def _held_out(told: dict[str, Any]) -> str:
    if told["bias"] is None:
        return "nothing sold in the held-out periods"
    return f"total of the held-out periods forecast {off(told['bias'])}"


def _level_holds(told: dict[str, Any]) -> bool:
    return told["bias"] is not None and abs(told["bias"]) <= BIAS


def _beats_naive(told: dict[str, Any]) -> bool:
    wql = {name: score["wql"] for name, score in told["models"].items()}
    return None not in wql.values() and min(wql, key=lambda name: wql[name]) == MARKET


def _miscalibrated(card: dict[str, Any]) -> bool:
    """Farther from uniform than allowed, and than so few rows would be by chance."""
    told = card["calibration"]
    return told["distance"] > max(DISTANCE, told["chance"])


def _coverage(card: dict[str, Any]) -> float | None:
    """Share of held-out rows in the 80% interval; None where none was observed."""
    told = card["calibration"]
    if told is None or not told["rows"]:
        return None
    return next(row["share"] for row in told["coverage"] if row["level"] == 0.8)


def _how_off(told: dict[str, Any]) -> str:
    """What is wrong with forecasts that are not calibrated."""
    shares = told["histogram"]
    middle = sum((number + 0.5) / len(shares) * share for number, share in enumerate(shares))
    if abs(middle - 0.5) > DISTANCE / 2:
        return f"forecasts are too {'high' if middle < 0.5 else 'low'}"
    outside = shares[0] + shares[-1]
    return f"intervals are too {'narrow' if outside > 2 / len(shares) else 'wide'}"


def _unlike(card: dict[str, Any]) -> Iterator[str]:
    """In what the simulated history is not like the real one."""
    measures = {row["measure"]: row for row in card["simulated"]["measures"]}
    level, variance = (_error(measures[name]) for name in ("mean", "variance"))
    worst = max(map(_error, card["simulated"]["stretches"]), key=abs)
    if abs(level) > _LIKE:
        yield f"level {off(level)}"
    elif abs(worst) > _DRIFTS:
        yield f"level of one segment {off(worst)}"
    if abs(variance) > _VARIES:
        yield f"variance over time {off(variance)}"
    for name, words, most in (
        ("autocorrelation", "autocorrelation", _CARRIES),
        ("correlation_locations", "correlation of locations", _JOINT),
        ("correlation_items", "correlation of items", _JOINT),
    ):
        real, simulated = measures[name]["real"], measures[name]["simulated"]
        if None not in (real, simulated) and abs(simulated - real) > most:
            yield f"{words} {two(simulated)} instead of {two(real)}"


def _error(row: dict[str, Any]) -> float:
    return row["simulated"] / row["real"] - 1 if row["real"] else 0.0


def _stretch(card: dict[str, Any]) -> str:
    return f"{card['simulated']['stretch']} {period_name(card['frequency'])}s"


def _names(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every) if len(every) <= 3 else f"{', '.join(every[:2])} and {len(every) - 2} more"


def _line(clauses: Iterable[str], otherwise: str) -> str:
    text = "; ".join(clauses) or otherwise
    return text[0].upper() + text[1:] + "."


def _by_item(rows: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for item in dict.fromkeys(row["item"] for row in rows):
        yield item, [row for row in rows if row["item"] == item]
