"""Numbers and the headline in words, the same on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

from .contents import Contents, Headline, Interval, Shift

MINUS = "−"
_PERIODS = {"D": "day", "W": "week", "MS": "month"}
MEMORISED = 0.65  # in-fold to out-of-fold spread of prices below which a first stage knows them by heart
MEASURES = {
    "mean": "units per series and period, mean",
    "variance": "units, variance over time",
    "zero_share": "share of periods without sales",
    "autocorrelation": "units, autocorrelation at one period",
    "correlation": "units, mean correlation between series",
    "correlation_locations": "… between locations of an item",
    "correlation_items": "… between items of a location",
}
NOTHING = 1e-6  # a difference below this share of profit is the arithmetic's, not the policy's
VERDICT = {"trust": "Trust it for", "distrust": "Do not trust it for", "help": "What would help most"}
_FINE = 0.01  # shares below it are told to the hundredth of a percent


def number(value: float | None, digits: int = 3) -> str:
    """Enough digits to tell apart, thousands separated: 1,234 · 12.3 · 0.123; less than 0.001 is 0."""
    if value is None:
        return "–"
    if abs(value) >= 10 ** (digits - 1):
        text = f"{value:,.0f}"
    else:
        text = f"{value:.{digits}g}" if abs(value) >= 1e-3 else "0"
    return text.replace("-", MINUS)


def count(n: int, what: str) -> str:
    """How many of something: 1 item, 3 items."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def period_name(frequency: str) -> str:
    """What people call a period of a pandas offset."""
    return _PERIODS.get(frequency, "period")


def two(value: float | None) -> str:
    """Two decimals: elasticities."""
    if value is None:
        return "–"
    return f"{value:.2f}".replace("-", MINUS)


def signed(value: float) -> str:
    return ("+" if value >= 1e-3 else "") + number(value)


def percent(value: float | None, digits: int = 1) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.{digits}f}%".replace("-", MINUS)


def off(share: float) -> str:
    """How a total misses the one that it should be."""
    if abs(share) < 0.005:
        return "right"
    return f"{percent(abs(share), 0)} too {'high' if share > 0 else 'low'}"


def _share(value: float, digits: int) -> str:
    rounded = round(100 * value, digits)
    return f"{rounded if rounded else 0:{'+' if rounded else ''}.{digits}f}".replace("-", MINUS)


def difference(value: Interval, base: float) -> str:
    """A paired difference with its interval: as a share of ``base`` where that is a profit, then in money."""
    if base <= 0:
        return f"{signed(value.mean)} [{signed(value.lo)}, {signed(value.hi)}]"
    parts = [part / base for part in (value.mean, value.lo, value.hi)]
    digits = 1 if max(map(abs, parts)) >= _FINE else 2
    mean, lo, hi = (_share(part, digits) for part in parts)
    return f"{mean}% [{lo}, {hi}] ({signed(value.mean)})"


def headline(contents: Contents) -> str:
    """The one line that matters."""
    line = contents.headline
    least = NOTHING * abs(line.baseline_profit)
    if max(abs(line.versus_baseline.lo), abs(line.versus_baseline.hi)) <= least:
        against = f"the same as the best baseline ({line.baseline})"
    else:
        gain = difference(line.versus_baseline, line.baseline_profit)
        against = f"{gain} against the best baseline ({line.baseline})"
    if line.versus_static is not None and line.static != line.baseline:
        gain = difference(line.versus_static, line.static_profit)
        against += f", {gain} against static prices ({line.static})"
    return (
        f"The best learned policy, {line.learned}, earns {against} and"
        f" {difference(line.versus_logged, line.logged_profit)} against the logged"
        f" prices; profit per episode in {contents.currency}, 95% intervals."
    )


def elasticity(contents: Contents) -> list[str]:
    """How the headline moves before other customers, one line each."""
    line = contents.headline
    return [
        f"{shift.change}: {against_baseline} against the best baseline,"
        f" {against_logged} against the logged prices"
        for shift in contents.other_customers
        for against_baseline, against_logged in [both(shift, line)]
    ]


def both(shift: Shift, line: Headline) -> tuple[str, str]:
    """A shift's differences from the best baseline and from the logged prices."""
    logged = "–" if shift.versus_logged is None else difference(shift.versus_logged, line.logged_profit)
    return difference(shift.versus_baseline, line.baseline_profit), logged


def verdict(line: Headline) -> str:
    """Whether the learned policy beats every rule, in one sentence, then why not."""
    if not line.not_beaten:
        claim = f"{line.learned} beats every baseline: each 95% interval of the difference lies above zero."
        return " ".join([claim, *line.reasons])
    claim = (
        f"{line.learned} does not beat every baseline: the 95% interval of the paired difference does not lie"
    )
    return " ".join([f"{claim} above zero against {', '.join(line.not_beaten)}.", *line.reasons])


def overfit(ratio: float | None) -> str:
    """The truth-free check of the first stage, which says what prices should have been."""
    if ratio is None:
        return "Whether the first stage overfits past prices could not be checked."
    passed = "passed" if ratio >= MEMORISED else "failed"
    return (
        f"Check that the first stage does not overfit past prices: {two(ratio)}, {passed} (1: no overfitting;"
        f" below {MEMORISED}: do not rely on the elasticities)."
    )


def own_by_item(own: list[dict[str, Any]]) -> Iterator[tuple[str, float, float, float, list[float]]]:
    """Item; its own elasticity and the ends of the 90% interval, medians over locations; all its means."""
    for item in dict.fromkeys(row["item"] for row in own):
        of_item = [row for row in own if row["item"] == item]
        mean, lo, hi = (median(row[end] for row in of_item) for end in ("mean", "lo", "hi"))
        yield item, mean, lo, hi, [row["mean"] for row in of_item]


_WEAK = 0.25  # standard error of the mean gap beyond which a hidden shock that matters would not be seen
_TERMS = {
    "curve": "an elasticity that changes with the price",
    "chain": "a larger or smaller effect of prices that change at all locations at once",
    "season": "an elasticity that changes with the season",
    "stockpiling": "lower sales after a deal because customers bought ahead",
    "reference price": "customers who compare with past prices",
}


def _learned_from(found: dict[str, Any]) -> str:
    """Which columns the elasticities were learned from, and what was found beside them."""
    columns = ", ".join(found["learned_from"])
    said = f"Learned from changes of {columns} that past sales and prices do not predict."
    terms = [_TERMS[name] for name in found["terms"]]
    return said if not terms else f"{said} The table also shows {'; '.join(terms)}."


def diagnosis(found: dict[str, Any]) -> list[str]:
    """What the elasticities of a card rest on."""
    shifter = found["instrument"]
    lines = [_learned_from(found)]
    if shifter is None:
        lines.append(
            "No cost shifter is declared, so this table cannot tell whether something hidden moves price and"
            " demand together. If something does, every elasticity here is biased by it."
        )
    elif found["confounded"]:
        lines.append(
            f"With {shifter} the elasticities differ by {two(found['gap'])} (± {two(found['gap_error'])})"
            " from those without it: something hidden moves price and demand together. They are corrected."
        )
    elif found["gap_error"] > _WEAK:
        lines.append(
            f"{shifter} moves prices too little to tell whether something hidden moves price and demand"
            f" together: the elasticities with it are known only to ± {two(found['gap_error'])}. Those"
            " without it are used."
        )
    else:
        lines.append(
            f"With and without {shifter} the elasticities agree: they differ by {two(found['gap'])}"
            f" (± {two(found['gap_error'])}) on average."
        )
    prior = [row["item"] for row in found["items"] if row["prior_only"]]
    if prior:
        lines.append(
            f"Prices never changed, so the elasticity is the assumed prior alone: {', '.join(prior)}."
        )
    return lines
