"""What policies earn, and the course of price, stock, sales and lost sales under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...report import answer
from ...report.words import NOTHING, period_name
from .. import charts, parts
from ..jobs import Job
from ..nice import ui
from ..policies import choices, sources
from ..view import Desk, View

_PERIODS = 26


async def build(desk: Desk) -> None:
    found = desk.home.benchmark()
    if found is not None:
        _compared(desk, found)
    about = await parts.opened(desk)
    if found is None:
        _offer(desk)
    _courses(desk, about)


def _compared(desk: Desk, found: Mapping[str, Any]) -> None:
    """The comparison that the run or the page has made."""
    report = desk.home.report()
    rules = set(desk.home.rules())
    rows = sorted(found["policies"], key=lambda row: -row["profit_mean"])
    learned = [row["policy"] for row in rows if row["policy"] not in rules]
    unit = f"{'money' if report is None else report.currency} per episode"
    parts.paragraph(
        f"{found['episodes']} episodes of {found['horizon']} periods; every policy faces the same customers"
        f" (seed {found['seed']})."
    )
    profits = [
        {"name": row["policy"], **{end: row[f"profit_{end}"] for end in ("mean", "lo", "hi")}} for row in rows
    ]
    title, about = "What each policy earns", "Profit with 95% intervals. Diamonds: learned."
    with parts.gallery():
        parts.figure(charts.intervals(title, about, unit, profits, marked=learned))
        if pairs := _against_the_best(found, rules, rows):
            title = f"Profit less that of {pairs[0]['against']}"
            about = "Paired: the same customers. An interval that includes 0 leaves open which is ahead."
            parts.figure(charts.intervals(title, about, unit, pairs, zero=True, marked=learned))
    parts.rows(answer.POLICIES, answer.policies(rows), marked=[row["policy"] in learned for row in rows])
    parts.paragraph(
        "Per episode over the whole market. Price: mean multiple of the reference price. At a bound: share of"
        " prices at a limit of the supported range.",
        "note",
    )
    if "rules" in found:
        parts.heading("The shop's rules", "Share of decisions that each binds, and profit added if none did.")
        parts.rows(*answer.rules(found))


def _against_the_best(
    found: Mapping[str, Any], rules: set[str], rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Each learned policy's paired difference from the best rule, best first."""
    best = next((row for row in rows if row["policy"] in rules), None)
    if best is None:
        return []
    least = NOTHING * abs(best["profit_mean"])
    pairs = [pair for pair in found["pairs"] if pair["b"] == best["policy"] and pair["a"] not in rules]
    return [
        {
            "name": pair["a"],
            "against": best["policy"],
            **{end: _seen(pair[f"diff_{end}"], least) for end in ("mean", "lo", "hi")},
        }
        for pair in sorted(pairs, key=lambda pair: -pair["diff_mean"])
    ]


def _seen(value: float, least: float) -> float:
    return value if abs(value) > least else 0.0


def _offer(desk: Desk) -> None:
    """The button that compares, or how far that is."""
    parts.heading(
        "No comparison yet", "The rules that a shop would use are tuned, and played against each other."
    )
    place = ui.element("div").classes("w-full")

    def offer() -> None:
        ui.button("Compare the policies", icon="leaderboard", on_click=start).props("no-caps")

    def start() -> None:
        place.clear()
        with place:
            files = list(desk.home.policies().values())
            follow(
                desk.start("policies", "benchmark", desk.home.market, files, desk.home.kept("benchmark"), 0)
            )

    def follow(job: Job) -> None:
        parts.watch(job, lambda _: ui.navigate.to(VIEW.path), offer)

    with place:
        if (job := desk.under_way.get("policies")) is not None and job.running:
            follow(job)
        else:
            offer()


def _courses(desk: Desk, about: dict[str, Any]) -> None:
    """One series through one episode under several policies, side by side."""
    parts.heading(
        "Side by side",
        "One series over one episode under each policy, with the same customers: price above; stock, demand,"
        " sales and lost sales below.",
    )
    known = choices(desk.home, about["rules"])
    kept = desk.kept.setdefault("policies", {"policies": list(known)[:2], "where": {}})
    with ui.element("div").classes("controls"):
        who = ui.select(known, multiple=True, label="policies", value=kept["policies"]).props("use-chips")
        parts.remember(who, kept, "policies")
    parts.series_choice(about, kept["where"])
    ui.button("Play", icon="play_arrow", on_click=lambda: play()).props("no-caps")
    place = ui.element("div").classes("w-full mt-4")

    def play() -> None:
        place.clear()
        with place, parts.told():
            horizon, where = min(_PERIODS, about["periods"]), kept["where"]
            them = sources(desk.home, about["rules"], kept["policies"])
            series = (where["location"], where["item"])
            follow(desk.start("courses", "trajectories", desk.home.market, them, *series, horizon, 0, 0))

    def follow(job: Job) -> None:
        with place:
            parts.watch(job, lambda done: _draw(done.result, about), lambda: None)

    if (job := desk.under_way.get("courses")) is not None and not job.cancelled:
        follow(job)
    elif (report := desk.home.report()) is not None and (told := report.trajectory) is not None:
        with place:
            parts.paragraph(f"{told.title}, from the run's report.", "note")
            _draw(told.courses(report.headline.learned, report.headline.baseline), about)


def _draw(rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    period, currency = period_name(about["frequency"]), about["currency"]
    units = max(max(row["on_hand"], row["demand"]) for row in rows)
    tops = max(row["price"] for row in rows), units
    with parts.gallery():
        for policy in dict.fromkeys(row["policy"] for row in rows):
            part = [row for row in rows if row["policy"] == policy]
            parts.figure(charts.course(policy, part, period, currency, tops))


VIEW = View("/policies", "Policies", build)
