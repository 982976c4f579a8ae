"""The report as one self-contained page: no script, no outside resource, readable on a phone and in print."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from . import ahead, answer, figures, words
from .card import sections
from .coming import Told
from .contents import Assumption, Contents, Interval, PolicyRow
from .html import document, folded, gallery, picture, table, verdict


def render(
    contents: Contents,
    card: dict[str, Any] | None = None,
    told: Told | None = None,
    answers: Sequence[answer.Told] = (),
) -> str:
    """HTML of the whole report, with the evidence of the market's ``card``, the forecast that is ``told`` and
    the ``answers`` to scenarios, where there are such."""
    body = "\n".join(
        part
        for part in (
            _header(contents),
            _trust(contents, card),
            _economics(contents),
            _policies(contents),
            _decisions(contents),
            _explanations(contents),
            "" if told is None else ahead.section(told, contents),
            _forecasts(contents),
            _responses(contents),
            _trajectory(contents),
            _scenarios(answers, contents),
            _limits(contents),
        )
        if part
    )
    return document(contents.title, body)


def _header(contents: Contents) -> str:
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in contents.facts)
    thanks = f'<p class="note">{escape(contents.acknowledgement)}</p>' if contents.acknowledgement else ""
    return (
        f"<header><h1>{escape(contents.title)}</h1>\n"
        f'<p class="subtitle">{escape(contents.subtitle)}</p></header>\n'
        f'<p class="headline">{escape(words.headline(contents))}</p>\n'
        f"<p>{escape(words.verdict(contents.headline))}</p>\n<dl>{facts}</dl>\n{thanks}"
    )


def _trust(contents: Contents, card: dict[str, Any] | None) -> str:
    """The verdict of the market's card, before anybody reads a profit."""
    evidence = alone = ""
    if card is not None:
        told, evidence = card["verdict"], folded("The evidence", sections(card))
    elif contents.trust is not None:
        told = contents.trust.model_dump()
    else:
        return ""
    if contents.trust is not None:
        page = escape(contents.trust.page, quote=True)
        alone = f'<p class="note">The evidence alone: <a href="{page}">market card</a>.</p>'
    return f"<section><h2>How far to trust the market</h2>\n{verdict(told)}{evidence}{alone}</section>"


def _economics(contents: Contents) -> str:
    """What was given, what was assumed, and how the headline moves with each assumption."""
    rows = []
    for part in contents.assumptions:
        badge = '<span class="given">given</span>' if part.given else '<span class="assumed">assumed</span>'
        rows.append(
            [
                escape(part.name.replace("_", " ")),
                badge,
                escape(part.value),
                escape(part.meaning),
                _moves(part, contents),
            ]
        )
    lines = table(
        ("economics", "", "value", "meaning", "result against the best baseline if it were different"),
        rows,
        text=(1, 3, 4),
    )
    return (
        "<section><h2>What was given and what was assumed</h2>\n"
        "<p>Values that the sales table does not have come from an economics file"
        " (<code>--economics FILE</code>). Values that the file leaves out are assumed. For the last column"
        " the best learned policy and the best baseline were simulated again, unchanged, with this one value"
        " changed.</p>\n"
        f"{lines}</section>"
    )


def _moves(part: Assumption, contents: Contents) -> str:
    base = contents.headline.baseline_profit
    return "<br>".join(
        f"{escape(shift.change)}: {escape(words.difference(shift.versus_baseline, base))}"
        for shift in part.shifts
    )


def _policies(contents: Contents) -> str:
    pictures = (
        picture(figures.profits(contents), "Profit per episode by policy, with 95% intervals."),
        picture(
            figures.differences(contents),
            f"Difference of profit from {contents.headline.baseline}, paired by the same customers.",
        ),
    )
    moves = table(
        ("customers", f"against {contents.headline.baseline}", f"against {contents.headline.logged}"),
        [
            [escape(shift.change), *map(escape, words.both(shift, contents.headline))]
            for shift in contents.other_customers
        ],
        text=(),
    )
    truth = ""
    if contents.true_market:
        truth = (
            "<h2>The same policies in the true market</h2>\n<p>The data come from a market whose"
            " true customers are known. This is what the policies earn there; what the learned market"
            " predicted is above.</p>\n" + _policy_table(contents.true_market, contents)
        )
    return (
        f"<section><h2>What each policy earns</h2>\n<p>{contents.episodes} episodes of {contents.horizon}"
        f" {escape(contents.period)}s not used in training; every policy faces the same customers (seed"
        f" {contents.seed}). Learned policies are in colour.</p>\n"
        f'<div class="pictures">{"".join(pictures)}</div>\n{_policy_table(contents.policies, contents)}\n'
        f"{_rules(contents)}"
        "<h2>If customers are less or more sensitive to price</h2>\n"
        "<p>The same policies with other customers that are consistent with the data.</p>"
        f"{moves}\n{truth}</section>"
    )


def _rules(contents: Contents) -> str:
    """How often each guard-rail binds, and what it costs."""
    if not contents.rules:
        return ""
    names = list(contents.rules[0].lifted)
    base, currency = contents.headline.baseline_profit, contents.currency
    header = (
        "rule",
        *(f"binds {name}" for name in names),
        *(f"{name} without it, {currency} more" for name in names),
    )
    body = [
        [
            escape(rail.rule),
            *(words.percent(rail.bound.get(name)) for name in names),
            *(escape(words.difference(rail.lifted[name], base)) for name in names),
        ]
        for rail in contents.rules
    ]
    return (
        "<h2>The shop's rules</h2>\n<p>Share of series and periods in which a rule moves a decision, or a"
        " price lies at the end that it sets; and what the same policy, neither trained nor tuned anew, would"
        " earn more per episode without the rule, before the same customers. A policy made for a shop"
        f" without it may earn more yet.</p>\n{table(header, body)}\n"
    )


def _policy_table(rows: Sequence[PolicyRow], contents: Contents) -> str:
    header = (
        "policy",
        f"profit, {contents.currency}",
        f"less {contents.headline.baseline}",
        f"revenue, {contents.currency}",
        "units",
        "fill rate",
        "stock-outs",
        "price",
        "price sd",
        "at a bound",
        "ending stock",
    )
    body = [
        [
            escape(row.policy),
            _interval(row.profit),
            _interval(row.versus_baseline),
            words.number(row.revenue),
            words.number(row.units),
            words.percent(row.fill_rate),
            words.percent(row.stockout_share),
            f"{row.price_mean:.3f}",
            f"{row.price_sd:.3f}",
            words.percent(row.price_at_bound),
            words.number(row.ending_stock),
        ]
        for row in sorted(rows, key=lambda row: -row.profit.mean)
    ]
    learned = [row.learned for row in sorted(rows, key=lambda row: -row.profit.mean)]
    note = (
        "Per episode over the whole market, 95% intervals. Fill rate: share of demand met from stock."
        " Stock-outs: share of series and periods with unmet demand. Price: mean multiple of the reference"
        " price, and its standard deviation over time. At a bound: share of prices at a limit of the"
        " supported range. Ending stock: in periods of typical demand."
    )
    return table(header, body, marked=learned) + f'<p class="note">{note}</p>\n'


def _interval(value: Interval | None) -> str:
    if value is None:
        return "–"
    lo, hi = words.number(value.lo), words.number(value.hi)
    return f'{words.number(value.mean)}<br><span class="range">{lo} … {hi}</span>'


def _decisions(contents: Contents) -> str:
    """What to charge and order next, where most hangs on it."""
    found = contents.decisions
    if found is None:
        return ""
    rows = [
        [
            escape(row.location),
            escape(row.item),
            words.number(row.current_price, 4),
            words.number(row.price, 4),
            f"{row.order:,}",
            f"{words.signed(row.gain.mean)}<br>"
            f'<span class="range">{words.number(row.gain.lo)} … {words.number(row.gain.hi)}</span>',
            escape(row.why),
        ]
        for row in found.rows
    ]
    header = (
        *("location", "item", "price now", "new price", "order"),
        *(f"expected gain, {contents.currency}", "why"),
    )
    stock = " Stock is assumed: give --stock for orders that fit your own." if found.stock_assumed else ""
    some = f" Shown are the {len(rows)} with the most at stake." if len(rows) < found.series else ""
    file = escape(found.file, quote=True)
    where = f' All are in <a href="{file}">{file}</a>.' if found.file and some else ""
    return (
        f"<section><h2>What {escape(contents.headline.learned)} decides for {escape(found.date)}</h2>\n"
        f"<p>{found.changed:,} of {found.series:,} prices change and {found.ordered:,} units are ordered."
        f" Expected gain over keeping all prices, in that {escape(contents.period)}:"
        f" {words.signed(found.gain.mean)} [{words.signed(found.gain.lo)}, {words.signed(found.gain.hi)}]"
        f" {escape(contents.currency)}, range over customers consistent with the data.{stock}</p>\n"
        f"{table(header, rows, text=(1, 6))}"
        f'<p class="note">Expected gain: margin that the new price adds to its location.{some}{where}</p>'
        "</section>"
    )


def _explanations(contents: Contents) -> str:
    """The first of the decisions in parts, and the demand that it expects."""
    if contents.decisions is None or not contents.explanations:
        return ""
    first = contents.decisions.rows[0]
    name = f"{first.item}, location {first.location}"
    return gallery(
        f"One decision in parts: {name}",
        f"From what {contents.headline.learned} ordinarily decides for this series to what it decides now,"
        f" and from an ordinary {contents.period}'s demand to that expected at the new price. An ordinary"
        " decision is the mean over the last year if the series had the unit cost, the range of tried prices"
        f" and the price response of the middle one; before an ordinary {contents.period} every series sold"
        " its usual amount at its reference price.",
        [picture(figures.breakdown(part), f"{part.title}: {name}") for part in contents.explanations],
    )


def _forecasts(contents: Contents) -> str:
    pictures = [
        picture(figures.forecast(part, contents), f"Forecast: {part.title}") for part in contents.forecasts
    ]
    return gallery(
        "Forecast against history",
        "The last periods were forecast from the periods before; the line marks where the forecast begins.",
        pictures,
    )


def _responses(contents: Contents) -> str:
    pictures = [
        picture(figures.response(part, contents), f"Price response: {part.title}")
        for part in contents.responses
    ]
    return gallery(
        "Price response and its support",
        "Expected units by price. The shaded range was tried in the past; outside it the curve is an"
        " extrapolation.",
        pictures,
    )


def _trajectory(contents: Contents) -> str:
    if contents.trajectory is None:
        return ""
    drawing = figures.trajectory(contents.trajectory, contents)
    return gallery(
        "One series over one episode",
        f"Price, stock, sales and unmet demand under {contents.headline.learned} and under"
        f" {contents.headline.baseline}, with the same customers.",
        [picture(drawing, f"Price, stock and sales: {contents.trajectory.title}")],
    )


def _scenarios(answers: Sequence[answer.Told], contents: Contents) -> str:
    """What scenarios change: all side by side, then each."""
    if not answers:
        return ""
    columns = (*answer.OVERVIEW[:2], f"profit without, {contents.currency}", *answer.OVERVIEW[3:])
    overview = table(columns, [list(map(escape, row)) for row in answer.overview(answers)], text=(1,))
    return (
        "<section><h2>What if</h2>\n<p>Scenarios that were run on the local page: means per episode without"
        " and with each of them, the same customers in both, 95% intervals of the difference.</p>\n"
        + overview
        + "".join(folded(answer.title(told), _changes(told)) for told in answers)
        + "</section>\n"
    )


def _changes(told: answer.Told) -> str:
    rows = table(answer.CHANGES, [list(map(escape, row)) for row in answer.changes(told)])
    return rows + "".join(f'<p class="note">{escape(line)}</p>\n' for line in answer.remarks(told))


def _limits(contents: Contents) -> str:
    items = "".join(f"<li>{escape(limit)}</li>" for limit in contents.limits)
    return f"<section><h2>Limits</h2>\n<ul>{items}</ul></section>" if items else ""
