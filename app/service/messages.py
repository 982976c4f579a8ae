"""What the service's requests and answers hold: the types behind its OpenAPI page."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

LARGEST_ID = 2**31 - 1
Number = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Name = Annotated[str, Field(min_length=1, max_length=500)]
Reason = Annotated[str, Field(max_length=2000, description="why; it is kept in the audit trail")]


class Asked(BaseModel):
    """A request: nothing in it is ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Stock(Asked):
    """What lies in a shop, and what is on its way."""

    location: Name
    item: Name
    on_hand: float = Field(ge=0, le=1e12, description="units")
    on_order: float = Field(0.0, ge=0, le=1e12, description="units")


class Propose(Asked):
    """Propose prices and orders for the period after the latest sales."""

    date: str | None = Field(
        None, max_length=32, description="first day of that period, to be sure that it is the one meant"
    )
    locations: list[Name] | None = Field(None, min_length=1, description="all if not given")
    stock: list[Stock] | None = Field(None, min_length=1, description="assumed where it is not given")
    explain: bool = Field(False, description="say what made each change of a price, which takes longer")


class Approve(Asked):
    reason: Reason = ""


class Change(Asked):
    price: float | None = Field(None, gt=0, le=1e12)
    order: int | None = Field(None, ge=0, le=10**9)
    reason: Reason


class Reject(Asked):
    reason: Reason


class Switch(Asked):
    on: bool = Field(description="on: withdraw what is open, release the last approved prices")
    reason: Reason


class WhatIf(Asked):
    """A scenario, as in a scenario file, and who decides in it."""

    scenario: dict[str, Any]
    policies: list[Name] = Field(default=["usual"], min_length=1, max_length=8)
    episodes: int = Field(16, ge=2, le=10_000)
    seed: int = Field(0, ge=0, le=2**31 - 1)


class Taken(BaseModel):
    """A batch of sales that was taken in."""

    number: int
    rows: int
    replaced: int = Field(description="rows that earlier batches had")
    repeated: bool = Field(description="it had come before under this key, and nothing was done")
    notes: list[str]


class Sheet(BaseModel):
    """A round of proposals for one date."""

    date: str
    sheet: int | None = Field(description="its number; none while the kill switch is on")
    series: int
    gain: float | None = Field(None, description="money of the period over keeping all prices")
    gain_lo: float | None = None
    gain_hi: float | None = None
    currency: str | None = None
    steps: dict[str, int] = Field(default={}, description="series that each step of after-treatment touched")
    released: int = Field(0, description="series released by the kill switch")
    market: str | None = Field(None, description="SHA-256 of what proposed it")
    policy: str | None = None
    input: str | None = Field(None, description="SHA-256 of the sales and the stock that it was told")
    notes: list[str]
    decisions: list[Decision] = Field(default=[], description="where at most 1,000 series were proposed")


class Decision(BaseModel):
    """What is proposed for one series."""

    id: int
    sheet: int
    date: str
    location: str
    item: str
    status: str
    current_price: float
    price: float
    least_price: float = Field(description="what the price rules leave")
    most_price: float | None = Field(description="none: they set no limit")
    order: int
    expected_units: float
    expected_gain: float = Field(description="money that the new price adds to its location")
    gain_lo: float
    gain_hi: float
    outside_support: bool
    why: str
    would_change: str | None = Field(None, description="the cheapest fact that would change it")
    drivers: dict[str, float] | None = Field(
        None,
        description="what made the change of the price: amounts that sum to it; where asked for",
    )
    note: str
    flags: str = Field(description="steps of after-treatment that touched it, or hold it back")


class Released(BaseModel):
    """What the shop's system fetches."""

    id: int
    date: str
    location: str
    item: str
    price: float
    order: int | None = Field(description="none: nobody decided one")
    source: str = Field(description="approved, changed, or kill switch")
    proposal: int | None
    reason: str
    released_at: str
    actor: str


class Page(BaseModel):
    """Some rows, and where the next ones begin."""

    after: int = Field(description="give it as `after` to go on")
    more: bool


class Decisions(Page):
    decisions: list[Decision]


class Releases(Page):
    released: list[Released]


class Forecast(BaseModel):
    """Deciles of the units that customers want of a series in a period, whatever the stock."""

    date: str
    location: str
    item: str
    q10: float
    q20: float
    q30: float
    q40: float
    q50: float
    q60: float
    q70: float
    q80: float
    q90: float


class Forecasts(BaseModel):
    forecasts: list[Forecast]


class Entry(BaseModel):
    """One entry of the audit trail."""

    seq: int
    at: str
    actor: str
    action: str
    body: dict[str, Any]
    before: str
    hash: str


class Trail(Page):
    entries: list[Entry]


class Done(BaseModel):
    """How many decisions it concerned."""

    decisions: int


class Why(BaseModel):
    """Why a price is what it is."""

    id: int
    current_price: float
    price: float
    why: str
    would_change: str | None
    drivers: dict[str, float] = Field(description="amounts that sum to the change of the price")


class Changed(Done):
    """What is released in place of what was proposed."""

    price: float
    order: int
    notes: list[str] = Field(description="what the price rules made of it")


class Fault(BaseModel):
    """What was expected, what was found, and where."""

    error: str
