"""Arguments and options that several commands of the command line share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Table(StrEnum):
    orange_juice = "orange-juice"
    ta_feng = "ta-feng"
    fresh_food = "fresh-food"
    reference = "reference"


class AnyTable(StrEnum):
    orange_juice = "orange-juice"
    ta_feng = "ta-feng"
    complete_journey = "complete-journey"
    cdnow = "cdnow"
    reference = "reference"
    log_linear = "log-linear"
    alike_customers = "alike-customers"
    attraction = "attraction"
    few_changes = "few-changes"
    hidden_shock = "hidden-shock"
    hours_out_of_stock = "hours-out-of-stock"
    inelastic = "inelastic"
    leaving_customers = "leaving-customers"
    nested_logit = "nested-logit"
    partial_assortment = "partial-assortment"
    shown_customers = "shown-customers"
    sparse = "sparse"
    state_dependent = "state-dependent"
    stockpiling = "stockpiling"
    switching_customers = "switching-customers"
    telling_customers = "telling-customers"
    zone_season = "zone-season"


class FitEffort(StrEnum):
    zero_shot = "zero-shot"
    usual = "usual"
    accurate = "accurate"


class UpdateDepth(StrEnum):
    condition = "condition"
    settle = "settle"
    refit = "refit"


class By(StrEnum):
    location = "location"
    item = "item"


class Algorithm(StrEnum):
    ppo = "ppo"
    dqn = "dqn"
    pathwise = "pathwise"


class Trunk(StrEnum):
    transformer = "transformer"
    gru = "gru"
    lstm = "lstm"
    none = "none"


PanelFile = Annotated[Path, typer.Argument(help="Sales table, CSV or parquet.", metavar="PANEL")]
OptionalPanel = Annotated[
    Path | None,
    typer.Argument(help="Sales table, CSV or parquet; without it, it is made of --events.", metavar="PANEL"),
]
MarketFolder = Annotated[
    Path, typer.Argument(help="Folder that `mercato fit` or `mercato problem` wrote.", metavar="MARKET")
]
MarketFolders = Annotated[
    list[Path],
    typer.Argument(
        help="Folder that `mercato fit` or `mercato problem` wrote; several: one policy for shops like them.",
        metavar="MARKET…",
    ),
]
PolicyFile = Annotated[Path, typer.Argument(help="File that `mercato train` wrote.", metavar="POLICY")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Seed = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="The same seed gives the same result.")]
Map = Annotated[
    list[str],
    typer.Option("--map", help="Rename a column of your table, ours=yours: units=qty. Repeatable."),
]
Freq = Annotated[
    str | None, typer.Option(help="Add rows up to this period: D (day), W (week), MS (month), 2W …")
]
Absent = Annotated[
    str, typer.Option(help="What a missing row between an item's first and last means: zero or unknown.")
]
Roles = Annotated[
    list[str],
    typer.Option(
        "--role",
        help="Role of a numeric column, deal=decision: static, exogenous, decision, past or instrument.",
    ),
]
Holidays = Annotated[
    str | None,
    typer.Option(help="Add the public holidays of a country, or a part of one, as a column: DE, US-NY."),
]
Drop = Annotated[list[str], typer.Option(help="Leave out a column of the table. Repeatable.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, help="Jobs to run in parallel, each in its own process; the result is the same (default: 1)."
    ),
]
Ray = Annotated[str | None, typer.Option("--ray", help="Run the jobs on the Ray cluster at this address.")]
Start = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="Market model whose forecast the levels of the market follow, if it is better than the market's"
        " own: a file that `mercato pretrain` wrote (default: the shipped one), or scratch for none.",
    ),
]
Effort = Annotated[
    FitEffort,
    typer.Option(
        help="zero-shot trains nothing; accurate trains longer and asks gradient-boosted trees, too, where"
        " the extra trees is installed."
    ),
]
TensorBoardFolder = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard", help="Also write the curves of the training to this folder, for TensorBoard."
    ),
]
TrunkKind = Annotated[
    Trunk | None,
    typer.Option(
        "--trunk",
        help="Network that corrects the regressions on past demand; none: they alone (default: transformer;"
        " none for zero-shot).",
    ),
]
Width = Annotated[int | None, typer.Option(min=4, max=1024, help="Channels of the network.")]
Blocks = Annotated[int | None, typer.Option(min=1, max=16, help="Blocks of the network.")]
Tune = Annotated[
    int,
    typer.Option(
        min=0, help="Try this many settings of the demand network; the default stays unless clearly beaten."
    ),
]
Model = Annotated[
    Path | None, typer.Option(help="Market model that `mercato pretrain` wrote (default: the shipped one).")
]
Peers = Annotated[
    bool,
    typer.Option(
        "--peers", help="Also LightGBM, tuned, and AutoETS, where the extras trees and ets are installed."
    ),
]
Episodes = Annotated[
    int | None,
    typer.Option(
        min=2,
        help="Simulated episodes, with the same customers for every policy (default: 64; fewer in markets of"
        " more than 2,000 series).",
    ),
]
StockFile = Annotated[
    Path | None, typer.Option(help="Current stock, CSV: location, item, on_hand[, on_order].")
]
Currency = Annotated[
    str | None, typer.Option(help="Currency, such as € or USD (default: that of the economics file).")
]
Quick = Annotated[
    bool, typer.Option("--quick", help="Check in a minute or two that everything works; trains very little.")
]
Pathwise = Annotated[
    bool, typer.Option("--pathwise", help="Train a third learner, by the gradient of profit: minutes more.")
]
EconomicsFile = Annotated[Path | None, typer.Option(help="Costs, lead time and price rules, YAML or JSON.")]
EventsFile = Annotated[
    Path | None,
    typer.Option("--events", help="What customers did, CSV or parquet: receipts, visits, messages …"),
]
EventsMap = Annotated[
    list[str],
    typer.Option(
        "--map-events",
        help="Rename a column of the events, or a kind of them: customer=card, buy=checkout. Repeatable.",
    ),
]
Busy = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Share of periods in which a series must sell to be in a table made of --events (default: .25).",
    ),
]
ItemsFile = Annotated[
    Path | None, typer.Option("--items", help="What is known of items: category path, text, image vector.")
]
RelationsFile = Annotated[
    Path | None,
    typer.Option("--relations", help="What relates items: substitutes, complements, successors, rules."),
]
OfEvents = Annotated[
    bool, typer.Option("--events", help="What the table's customers did, instead of the sales table.")
]
OfItems = Annotated[
    bool, typer.Option("--items", help="What is known of the table's items, instead of the sales table.")
]
