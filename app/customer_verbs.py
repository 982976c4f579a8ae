"""The verbs of customers, of a market that was fitted with their events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, MarketFolder, Ray, Seed, Workers
from .verbs import app, verb

customers = typer.Typer(no_args_is_help=True)
app.add_typer(customers, name="customers", help="What is known of a market's customers, one by one.")


def score(
    market: MarketFolder,
    out: Annotated[Path, typer.Option(help="Scores to write, CSV or parquet: a row a customer.")],
    horizon: Annotated[int, typer.Option(min=1, help="Days ahead.")] = 28,
    top: Annotated[int, typer.Option(min=1, max=100, help="Items told of each customer.")] = 10,
    quick: Annotated[bool, typer.Option("--quick", help="The classical answers alone, in seconds.")] = False,
    json: Json = False,
    seed: Seed = 0,
) -> None:
    """Write each customer's chance of a visit, of buying items and of not coming; show how true such are."""
    from .commands.customers import score

    score(market, out, horizon, top, quick, json, seed)


def answer(
    answers: Annotated[
        Path,
        typer.Argument(help="The shop's own table, with columns question and answer.", metavar="ANSWERS"),
    ],
    questions: Annotated[list[str], typer.Argument(help="What customers ask.", metavar="QUESTION …")],
    json: Json = False,
) -> None:
    """Find the shop's own answer to each question, with its score, or say that there is none."""
    from .commands.customers import answer

    answer(answers, questions, json)


def campaigns(
    market: MarketFolder,
    policy: Annotated[
        str | None, typer.Option(help="A policy file or a baseline's name; the table's prices if left out.")
    ] = None,
    slate: Annotated[int, typer.Option(min=1, max=1000, help="Items that a customer is shown.")] = 3,
    discount: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the price that a coupon takes off.")
    ] = 0.1,
    episodes: Annotated[int, typer.Option(min=2, max=10_000, help="Episodes simulated.")] = 32,
    horizon: Annotated[int, typer.Option(min=1, help="Periods of an episode.")] = 26,
    json: Json = False,
    seed: Seed = 0,
    workers: Workers = None,
    ray: Ray = None,
) -> None:
    """Simulate what it is worth to show customers items and to send some of them coupons."""
    from .commands.customers import campaigns

    campaigns(market, policy, slate, discount, episodes, horizon, json, seed, workers, ray)


verb(score, customers)
verb(campaigns, customers)
verb(answer, customers)
