"""Markets too large to play at once, as sub-markets that are played one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isqrt

from .market import Market

AT_ONCE = 16_384  # series in play together


def sub_markets(market: Market, most: int = AT_ONCE) -> Iterator[Market]:
    """The market itself where it has at most ``most`` series, else parts of it, each made as it is asked for.

    Every series is in one part. Price groups and categories stay whole, and so do locations whose prices are
    compared and items that are ordered together; for their sake a part may be larger.
    A learned market's series see those of their own part alone (``LearnedDemand.select``); between parts
    nothing is shared, a large assortment being many shelves that do not know of each other.
    """
    places, goods = market.shape
    if places * goods <= most:
        yield market
        return
    side = isqrt(most)
    together = market.economics.order_budget is not None or market.economics.joint_order_cost > 0
    items = _blocks(market.items, market.items[:1] * goods if together else market.categories, side)
    locations = _blocks(market.locations, market.compared, max(1, most // max(map(len, items))))
    for some_locations in locations:
        for some_items in items:
            yield market.select(some_locations, some_items)


def _blocks(names: Sequence[str], labels: Sequence[str], most: int) -> list[list[str]]:
    """Names in blocks of up to ``most``, names of one label together."""
    groups: dict[str, list[str]] = {}
    for name, label in zip(names, labels, strict=True):
        groups.setdefault(label, []).append(name)
    blocks: list[list[str]] = [[]]
    for group in groups.values():
        if blocks[-1] and len(blocks[-1]) + len(group) > most:
            blocks.append([])
        blocks[-1].extend(group)
    return blocks
