"""What is known of a market's customers, for people: who stays, who leaves and why, what showing does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import exp
from typing import Any

from .lift import Lift


@dataclass(frozen=True)
class Segment:
    """Customers whom a policy can address together."""

    name: str
    customers: float
    share: float  # of what is spent at usual prices
    visits: float  # a customer and period, while there
    leaves: float  # chance to leave at a visit that finds all as usual
    leaves_without: float  # … at one that finds nothing of the basket
    leaves_in_a_year: float  # of its customers, all as usual
    elasticity: float  # own, beyond the items', mean by demand


@dataclass(frozen=True)
class Signal:
    """An item that more is written about than usual."""

    item: str
    found: float  # messages in the last period, each by its chance to be followed by a return
    usual: float  # mean of the periods before
    chance: float  # that so many come when nothing has changed


@dataclass(frozen=True)
class Account:
    """What a fit says of customers, in words and numbers."""

    leaving: dict[str, Any]  # ``LeavingFit.told``
    segments: tuple[Segment, ...]
    coverage: tuple[str, ...]
    exposure: Lift
    coupon: Lift
    word_of_mouth: Lift
    told: float  # others whom a customer told of the shop, on average
    messages: tuple[str, ...]
    signals: tuple[Signal, ...]
    new_items: str
    following: str = ""  # how much those whom customers told follow them, or why that is not simulated
    switching: dict[str, Any] | None = None  # ``SwitchingFit.told``; None: nobody comes to several locations

    def plain(self) -> dict[str, Any]:
        """In JSON's types."""
        return asdict(self)

    @staticmethod
    def of_plain(told: dict[str, Any]) -> Account:
        """What ``plain`` gave."""
        return Account(
            told["leaving"],
            tuple(Segment(**one) for one in told["segments"]),
            tuple(told["coverage"]),
            Lift(**told["exposure"]),
            Lift(**told["coupon"]),
            Lift(**told["word_of_mouth"]),
            told["told"],
            tuple(told["messages"]),
            tuple(Signal(**one) for one in told["signals"]),
            told["new_items"],
            told["following"],
            told["switching"],
        )

    def text(self) -> tuple[str, ...]:
        """What a person should know of it at once, a line each."""
        found = self.leaving
        assumed = ", ".join(name for name in found["assumed"]) or "nothing"
        between = () if self.switching is None else (_switching(self.switching),)
        return (
            f"customers: {sum(one.customers for one in self.segments):,.0f} of {found['customers']:,} are"
            f" thought to be still there; of what moves their leaving, assumed: {assumed}",
            *between,
            f"showing an item: {self.exposure.text()}",
            f"sending a coupon: {self.coupon.text()}",
            f"word of mouth: {self.word_of_mouth.text()}; {self.following}",
        )


def _switching(found: dict[str, Any]) -> str:
    assumed = ", ".join(found["assumed"])
    told = f"assumed: {assumed}" if assumed else f"estimated from {found['visits']:,} visits"
    return (
        f"switching: {found['customers']:,} customers come to several locations; a basket that is not there"
        f" multiplies the odds of going elsewhere by {exp(found['stock_out']):.1f}, {told}"
    )
