"""What a market card says of customers: who stays, who leaves and why, what showing and telling do."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp
from typing import Any

from . import words
from .sheet import Sheet

_NAMES = {
    "stock_out": "a basket that is not there",
    "dear": "the log of a basket's price to the usual",
    "back": "of those who left, that return within a period",
    "return": "bringing something back, beyond what an empty shelf or a price explains",
    "message": "a message, a logit that its words bode ill; where they tell nothing, having written",
}
_EFFECT = ("what", "effect", "90% interval", "known by")


def sheets(told: dict[str, Any]) -> Iterator[Sheet]:
    """The tables of ``told`` (``forecasters.customers.account.Account``), or why there are none."""
    if "unknown" in told:
        yield Sheet("Customers", (), [], (f"Customers are not simulated one by one: {told['unknown']}.",))
        return
    yield _who(told)
    yield _why(told)
    if told["switching"] is not None:
        yield _where(told["switching"])
    yield _caused(told)
    if told.get("scores"):
        yield _true(told["scores"])


def _who(told: dict[str, Any]) -> Sheet:
    rows = [
        [
            one["name"],
            f"{one['customers']:,.0f}",
            f"{one['share']:.0%}",
            f"{one['visits']:.2f}",
            f"{one['leaves']:.1%}",
            f"{one['leaves_in_a_year']:.0%}",
            f"{one['elasticity']:+.2f}",
        ]
        for one in told["segments"]
    ]
    header = (
        "segment",
        "customers",
        "of spending",
        "visits a period",
        "leave at a visit",
        "leave in a year",
        "elasticity beyond the items'",
    )
    about = (
        "Customers who are still there as the table ends. High value is who brings the larger half of what is"
        " spent; keen is who pays less than others for the same."
    )
    return Sheet("Who stays", header, rows, (about, *map(_sentence, told["coverage"])))


def _why(told: dict[str, Any]) -> Sheet:
    found = told["leaving"]
    rows = [
        *_moved(found),
        *_voiced(found["voice"]),
        [_NAMES["back"], f"{found['back']:.2%}", "–", "assumed"],
    ]
    about = (
        f"From {found['customers']:,} customers, of whom about {found['leavers']:,.0f} left while they were"
        " watched. Effects but the last multiply the odds of leaving at a visit."
    )
    return Sheet("Why customers leave", _EFFECT, rows, (about,), text=(3,))


def _where(found: dict[str, Any]) -> Sheet:
    about = (
        f"From {found['visits']:,} next visits, {found['elsewhere']:.0%} of them elsewhere;"
        f" {found['customers']:,} customers come to several locations. Each multiplies the odds of going to"
        " another location the next time."
    )
    return Sheet("Why customers go to another location", _EFFECT, _moved(found), (about,), text=(3,))


def _moved(found: dict[str, Any]) -> list[list[str]]:
    return [
        _odds(
            name, found[name], found["errors"][name], "assumed" if name in found["assumed"] else "estimated"
        )
        for name in ("stock_out", "dear")
    ]


def _voiced(said: dict[str, Any]) -> list[list[str]]:
    return [_odds(act, told["effect"], told["error"], "estimated") for act, told in said.items()]


def _odds(name: str, effect: float, error: float, known: str) -> list[str]:
    ends = " … ".join(f"{exp(effect + z * error):.1f}" for z in (-1.645, 1.645))
    return [_NAMES[name], f"× {exp(effect):.1f}", ends, known]


def _true(scores: dict[str, Any]) -> Sheet:
    title, days = "How true chances of single customers are", scores["horizon"]
    header = ("chance", "said", "came", "customers, items or lines")
    if "because" in scores:
        return Sheet(title, header, [], (f"Not known: {scores['because']}.",))
    kinds = {"visit": f"a visit in {days} days", "item": "an item in the first basket", "returns": "a return"}
    rows = [
        [what, words.percent(one["said"]), words.percent(one["came"]), f"{one['count']:,}"]
        for kind, what in kinds.items()
        for one in scores[kind]
    ]
    about = (
        f"Chances that the classical answers said of the last {days} days before they knew them, in bins of"
        " about equal weight, and how often it came so. mercato customers score tells every customer's, and"
        " how true its own are."
    )
    return Sheet(title, header, rows, (about,))


def _caused(told: dict[str, Any]) -> Sheet:
    rows = [
        ["showing an item to a customer", *_lift(told["exposure"])],
        ["sending a customer a coupon", *_lift(told["coupon"])],
        ["addressing a customer, on those whom he told", *_lift(told["word_of_mouth"])],
    ]
    said = [*told["messages"], told["new_items"]]
    alarms = [
        f"{one['item']}: {words.count(round(one['found']), 'message')} in the last period where"
        f" {one['usual']:.1f} are usual"
        for one in told["signals"]
    ]
    note = ("More is written than usual about " + "; ".join(alarms) + ".") if alarms else ""
    header = ("what", "purchases", "90% interval", "without regard to who was chosen", "known by")
    return Sheet(
        "What showing and telling do", header, rows, tuple(_sentence(s) for s in said), note, text=(4,)
    )


def _lift(found: dict[str, Any]) -> list[str]:
    low, high = (exp(found["mean"] + side * 1.645 * found["sd"]) for side in (-1, 1))
    naive = "–" if found["naive"] is None else f"× {exp(found['naive']):.2f}"
    why = f"assumed: {found['because']}" if found["because"] else f"{found['rows']:,} rows"
    return [f"× {exp(found['mean']):.2f}", f"{low:.2f} … {high:.2f}", naive, why]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
