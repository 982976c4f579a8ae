"""What a report says, apart from how it looks: plain validated data, kept beside the page as report.json."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ...forecasters.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Numbers = list[float | None]  # None where there is no observation


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(_Part):
    """A mean and the ends of its 95% interval."""

    mean: float
    lo: float
    hi: float


class Shift(_Part):
    """The headline again, with one thing changed."""

    change: str  # what was changed, in words
    versus_baseline: Interval
    versus_logged: Interval | None = None  # where it was played too


class Assumption(_Part):
    """One line of the economics file."""

    name: str
    meaning: str
    value: str
    given: bool  # by the user; otherwise it is assumed
    shifts: list[Shift] = []


class Headline(_Part):
    """The one line that matters, and whether it holds. Money per episode, paired over episodes."""

    learned: str  # the best learned policy
    baseline: str  # the best of the rules
    logged: str  # the rule that charges the prices of the history
    versus_baseline: Interval
    versus_logged: Interval
    baseline_profit: float
    logged_profit: float
    static: str = ""  # the rule that holds the best prices, with the orders that suit them best
    versus_static: Interval | None = None
    static_profit: float = 0.0
    not_beaten: list[str] = []  # baselines whose interval of the difference does not lie above zero
    reasons: list[str] = []  # why not, and what to read with it


class PolicyRow(_Part):
    """A policy's results per episode, in the words of ``benchmark --json``."""

    policy: str
    learned: bool
    profit: Interval
    revenue: float
    units: float
    fill_rate: float
    stockout_share: float
    price_mean: float
    price_sd: float
    price_at_bound: float
    ending_stock: float
    versus_baseline: Interval | None = None  # paired difference of profit; None for the best baseline itself


class GuardRail(_Part):
    """A rule of the shop that holds policies back."""

    rule: str
    bound: dict[str, float]  # policy -> share of its decisions; none of all rules together
    lifted: dict[str, Interval]  # policy -> profit that it would add without the rule, per episode


class Forecast(_Part):
    """One series: its history, and the forecast of its last periods made before they happened."""

    title: str
    dates: list[str]  # ISO, one a period
    units: Numbers
    lo: Numbers  # 10% quantile; None before the forecast begins
    median: Numbers
    hi: Numbers  # 90% quantile


class Response(_Part):
    """One series: expected units over price, with the range of prices that the data support."""

    title: str
    price: list[float]
    units: list[float]
    lo: list[float]  # at the strong end of the elasticity's 90% interval
    hi: list[float]  # at the weak end
    support: tuple[float, float]
    reference: float
    observed: list[float]  # prices charged in the history, a sample

    @property
    def table(self) -> pd.DataFrame:
        """The curve: ``price``, ``units``, ``lo``, ``hi``, and whether the price is ``supported``."""
        import pandas as pd

        columns = {name: getattr(self, name) for name in ("price", "units", "lo", "hi")}
        return pd.DataFrame(columns).assign(supported=lambda rows: rows["price"].between(*self.support))


class Trajectory(_Part):
    """One series over one episode under the best learned policy."""

    title: str
    price: list[float]
    baseline_price: list[float]  # the best baseline's, before the same customers
    on_hand: list[float]  # after the period's delivery, before its sales
    demand: list[float]
    sales: list[float]
    baseline_on_hand: list[float] = []  # the same three under the best baseline
    baseline_demand: list[float] = []
    baseline_sales: list[float] = []

    def courses(self, learned: str, baseline: str) -> list[dict[str, Any]]:
        """The rows of ``mercato trajectory`` under the two policies, as far as they are known."""
        known = [(learned, self.price, self.on_hand, self.demand, self.sales)]
        if self.baseline_on_hand:
            theirs = (self.baseline_on_hand, self.baseline_demand, self.baseline_sales)
            known.append((baseline, self.baseline_price, *theirs))
        keys = ("price", "on_hand", "demand", "sales")
        return [
            {"policy": policy, "period": n, **dict(zip(keys, row, strict=True)), "unmet": row[2] - row[3]}
            for policy, *columns in known
            for n, row in enumerate(zip(*columns, strict=True), start=1)
        ]


class DecisionRow(_Part):
    """One series: what to charge and order."""

    location: str
    item: str
    current_price: float
    price: float
    order: int
    gain: Interval  # margin that the new price adds to its location, and the range over plausible customers
    why: str


class DecisionList(_Part):
    """What the best learned policy decides right after the table."""

    date: str
    series: int
    changed: int  # prices
    ordered: int  # units
    gain: Interval  # of the whole market, all prices changed against all kept
    stock_assumed: bool
    rows: list[DecisionRow]  # those with the largest expected gain
    file: str  # with all of them, beside the page; empty where there is none


class Breakdown(_Part):
    """From what is ordinary to what is decided or expected: ``ordinary`` and its parts make ``result``."""

    title: str
    unit: str  # what the numbers are, for the axis
    ordinary_name: str
    ordinary: float
    parts: list[tuple[str, float]]
    result_name: str
    result: float
    multiplied: bool = False  # parts are multipliers, not to be added
    reference: float | None = None  # marked, where there is one
    reference_name: str = ""


class Trust(_Part):
    """The verdict of the market's card."""

    trust: str
    distrust: str
    help: str
    page: str  # file beside the report, with what the verdict rests on


class Contents(_Part):
    """Everything on the page, top to bottom."""

    title: str
    subtitle: str
    acknowledgement: str = ""
    currency: str
    period: str  # "week", "day" …
    horizon: int
    episodes: int
    seed: int
    facts: list[tuple[str, str]] = []  # name, value: what was fitted on what
    assumptions: list[Assumption]
    headline: Headline
    trust: Trust | None = None  # where the market has a card
    other_customers: list[Shift]
    decisions: DecisionList | None = None
    explanations: list[Breakdown] = []  # of the first of the decisions
    policies: list[PolicyRow]
    rules: list[GuardRail] = []
    true_market: list[PolicyRow] = []
    forecasts: list[Forecast] = []
    responses: list[Response] = []
    trajectory: Trajectory | None = None
    limits: list[str] = []


def read_contents(path: Path) -> Contents:
    """Contents from a report.json.

    Raises:
        InputError: the file is absent or does not hold a report.
    """
    try:
        return Contents.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path.parent}: expected the folder of a run, which holds {path.name}; {error.strerror}"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: not a report of this version: {where}: {first['msg']}") from None
