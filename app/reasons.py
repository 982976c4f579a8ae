"""Why a price and an order are what they are, in a few words, by rules on what the market expects.

A policy is a network and gives no reasons. What is said here is what the market says of its decision: whether
the move earns more in the coming period and by which elasticity, and which limit keeps it from going further.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

SAME = 1e-4  # prices closer than this share of each other are the same
TRIED = "prices beyond are outside the supported range"
CADENCE = "cadence"
_FLAT = 1e-3  # share of its margin, below which one percent on an item's price is no matter
_LONG = 99  # periods, beyond which nobody counts
_NEARLY = 0.05  # periods of cover that nobody tells apart
_HIGH = 2.0  # times the periods that an order must last, beyond which stock is high


@dataclass(frozen=True)
class Known:
    """What the market expects of one decision. Money of the coming period, units, periods.

    ``below`` and ``above`` are the limits of the price by name: price rules, and ``TRIED``.
    """

    current: float  # price
    price: float
    wanted: float  # the policy's price before the price rules
    elasticity: float  # own, at the new price
    margin: float  # (price - unit cost) / price
    gain: float  # margin of the location that the new price adds to what the current one would earn
    gain_lo: float  # its lower end, over customers that the data leave possible
    own_gain: float  # of the item alone
    earns: float  # margin of the item at the new price
    dearer: float  # margin of the location that one percent more on the new price would add
    cheaper: float  # … that one percent less would add
    demand: float  # expected at the new price
    demand_before: float  # expected at the current price
    at_hand: float  # units for sale
    position: float  # on hand and on order, less owed, before the order
    order: float
    lasts: int  # periods that an order must last: lead time + 1
    room: float = float("inf")  # units that the capacity leaves for an order
    order_rule: str | None = None  # what cut the order last, but for the capacity
    held: bool = False  # the price may not change yet
    ending: float | None = None  # what every price must end in
    below: Mapping[str, float] = field(default_factory=dict)
    above: Mapping[str, float] = field(default_factory=dict)


def why(known: Known) -> str:
    """The reasons for a price, then for an order."""
    same = abs(known.price - known.current) <= SAME * known.current
    price = _kept(known) if same else _moved(known)
    return "; ".join([*price, _order(known)])


def _kept(known: Known) -> Iterable[str]:
    if known.held:
        yield f"kept: price rule binds: {CADENCE}"
        return
    best = max(known.dearer, known.cheaper)
    if best <= _FLAT * abs(known.earns):
        yield f"kept: about the best price here ({_traits(known)})"
        return
    up = known.dearer >= known.cheaper
    limit = _limit(known, up)
    if limit:
        yield f"kept: {limit}"
    elif known.ending is not None and not _alike(known.wanted, known.price):
        yield f"kept: {known.wanted:.2f} was wanted, prices must end in {_ending(known.ending)}"
    else:
        yield f"kept, though a {_way(up)} price would earn more in this one period"


def _moved(known: Known) -> Iterable[str]:
    up = known.price > known.current
    forced = _limit(known, not up)
    if forced and forced != TRIED:  # it moved as far as it had to
        yield forced
        return
    if known.gain > 0:
        yield _earns(known, up)
        if known.gain_lo < 0:
            yield "gain not certain"
    elif forced:
        yield "moved back into the supported range"
    else:
        yield "no gain in this one period: the policy weighs later ones too"
        cover = _cover(known)
        if not up and cover > _HIGH * known.lasts:
            yield f"stock high: {_periods(cover)} of cover"
    if not up and known.demand > known.at_hand:
        yield f"stock low, {known.at_hand:.0f} for {known.demand:.0f} wanted at the new price"
    limit = _limit(known, up)
    if limit:
        yield f"no further: {limit}"


def _earns(known: Known, up: bool) -> str:
    """Why a move that gains does."""
    more = f"a {_way(up)} price earns more"
    if up and known.demand_before > known.at_hand:
        return f"stock low, {known.at_hand:.0f} for {known.demand_before:.0f} wanted at the old price: {more}"
    if known.own_gain <= 0:
        return f"other items of the location gain more than this one loses: {more}"
    if up and known.elasticity > -1:
        return f"demand is inelastic here ({known.elasticity:.1f}): {more}"
    if up and -known.elasticity * known.margin < 1:
        said = f"demand is not elastic enough for a margin of {100 * known.margin:.0f}%"
        return f"{said} ({known.elasticity:.1f}): {more}"
    if not up and -known.elasticity * known.margin > 1:
        return f"demand is elastic here ({known.elasticity:.1f}): {more}"
    return f"{more} ({_traits(known)})"


def _order(known: Known) -> str:
    cover = _cover(known)
    if known.order_rule is not None:
        return f"{'no order' if known.order <= 0 else 'order'}: order rule binds: {known.order_rule}"
    if known.order <= 0:
        if known.room < 1:
            return "no order: no room for more"
        return f"no order: stock covers {_periods(cover)}"
    if known.room - known.order < 1:
        return "order: as much as there is room for"
    if cover < known.lasts - _NEARLY:
        return f"order: stock covers {cover:.1f} of the {_periods(known.lasts, 0)} that it must last"
    return f"order: fills up to {_periods(_cover(known, known.order))} of cover"


def _limit(known: Known, up: bool) -> str | None:
    """The first limit that the price lies at, upwards or downwards."""
    for name, end in (known.above if up else known.below).items():
        if known.price >= end * (1 - SAME) if up else known.price <= end * (1 + SAME):
            return name if name == TRIED else f"price rule binds: {name}"
    return None


def _cover(known: Known, more: float = 0.0) -> float:
    """Periods of expected demand in stock and on order."""
    return (known.position + more) / max(known.demand, 1e-9)


def _periods(cover: float, digits: int = 1) -> str:
    if cover > _LONG:
        return f"more than {_LONG} periods"
    text = f"{cover:.{digits}f}"
    return f"{text} period{'' if float(text) == 1 else 's'}"


def _traits(known: Known) -> str:
    return f"elasticity {known.elasticity:.1f}, margin {100 * known.margin:.0f}%"


def _alike(one: float, other: float) -> bool:
    return abs(one - other) <= SAME * other


def _way(up: bool) -> str:
    return "higher" if up else "lower"


def _ending(ending: float) -> str:
    return f"{ending:.2f}".lstrip("0")
