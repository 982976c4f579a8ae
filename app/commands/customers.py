"""``mercato customers``: what is known of a market's customers, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ...forecasters.errors import InputError
from ..console import Bars, print_table, stderr, stdout
from ..output import to_json, write_file
from ..report.words import count, percent

if TYPE_CHECKING:
    from ...forecasters.customers import Bin


def score(market: Path, out: Path, horizon: int, top: int, quick: bool, json: bool, seed: int) -> None:
    if out.suffix not in (".csv", ".parquet"):
        raise InputError(f"--out: expected a file ending in .csv or .parquet, found {out}")
    from ...envs.customers import load_records
    from ...forecasters.customers import scored

    console, records = stderr(), load_records(market)
    with Bars(console) as bars:
        found = scored(records.events, records.items, horizon, top, quick, seed, bars)
    write = found.table.to_csv if out.suffix == ".csv" else found.table.to_parquet
    write_file(out, lambda path: write(path, index=False))
    if json:
        print(to_json({"heads": found.heads, "calibration": asdict(found.calibration)}))
    else:
        for line in found.heads:
            console.print(line)
        _show("A visit", found.calibration.visit, horizon)
        _show("An item in the first basket", found.calibration.item, horizon)
        if found.calibration.returns:
            _show("A return of what is in it", found.calibration.returns, horizon)
    console.print(f"wrote {out}: {count(len(found.table), 'customer')}, {horizon} days ahead")


def answer(answers: Path, questions: Sequence[str], json: bool) -> None:
    from ...forecasters.customers import Answers
    from ...forecasters.panel.tables import Contract, load_table

    columns = ("question", "answer")
    table = load_table(answers, {}, (), Contract("answers", columns, columns, b"mercato.answers"))
    told = Answers.of(table.frame).ask(questions)
    if json:
        print(to_json([asdict(one) for one in told]))
        return
    for one in told:
        stdout().print(f"{one.question}", markup=False)
        if one.found is None:
            said = (
                f"no answer: {one.score:.2f} where {one.needed:.2f} is needed, nearest to {one.asked_there!r}"
            )
        else:
            said = f"{one.score:.2f}  {one.found}"
        stdout().print(f"  {said}", markup=False)


def campaigns(
    market: Path,
    policy: str | None,
    slate: int,
    discount: float,
    episodes: int,
    horizon: int,
    json: bool,
    seed: int,
    workers: int | None,
    ray: str | None,
) -> None:
    from ...agents.workers import employ
    from ..campaigns import campaigns

    with Bars(stderr()) as bars, employ(workers, ray) as crew:
        found = campaigns(
            market,
            policy,
            seed,
            slate=slate,
            discount=discount,
            episodes=episodes,
            horizon=horizon,
            progress=bars,
            workers=crew,
        )
    if json:
        print(to_json(asdict(found)))
        return
    rows = [
        (
            one.campaign,
            f"{one.gain[0]:+,.0f}",
            f"{one.gain[1]:+,.0f} … {one.gain[2]:+,.0f}",
            f"{one.least:+,.0f} … {one.most:+,.0f}",
        )
        for one in found.worth
    ]
    columns = ("campaign", "profit", "95% interval", "over the effect's 90% interval")
    title = (
        f"{found.policy}, {found.profit:,.0f} an episode of {found.horizon} periods; with each,"
        f" {found.episodes} episodes"
    )
    print_table(stdout(), title, columns, rows)
    stdout().print(f"showing an item: {found.showing.text()}", markup=False)
    stdout().print(f"sending a coupon: {found.coupon.text()}", markup=False)


def _show(what: str, bins: Sequence[Bin], horizon: int) -> None:
    rows = [(percent(b.said, 1), percent(b.came, 1), f"{b.count:,}") for b in bins]
    title = f"{what} within {horizon} days, on the last ones, which were held back"
    print_table(stdout(), title, ("said", "came", "chances"), rows)
