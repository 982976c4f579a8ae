"""The command line: ``mercato VERB``, one function a verb. Nothing heavy is imported until a verb runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from . import customer_verbs, experiment_verbs, service_verbs  # noqa: F401 (their verbs are registered)
from .one_series import response, trajectory, why
from .options import (
    Absent,
    Algorithm,
    AnyTable,
    Blocks,
    Busy,
    By,
    Currency,
    Drop,
    EconomicsFile,
    Effort,
    Episodes,
    EventsFile,
    EventsMap,
    FitEffort,
    Freq,
    Holidays,
    ItemsFile,
    Json,
    Map,
    MarketFolder,
    MarketFolders,
    Model,
    OfEvents,
    OfItems,
    OptionalPanel,
    PanelFile,
    Peers,
    PolicyFile,
    Ray,
    RelationsFile,
    Roles,
    Seed,
    Start,
    StockFile,
    TensorBoardFolder,
    TrunkKind,
    Tune,
    Width,
    Workers,
)
from .reading import parse_beside, parse_reading
from .run_verbs import demo, run
from .update_verbs import drift, update
from .verbs import app, verb


@verb
def data(
    name: Annotated[AnyTable, typer.Argument(help="Which table.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    events: OfEvents = False,
    items: OfItems = False,
    seed: Seed = 0,
) -> None:
    """Fetch a public sales table, or make a synthetic one whose true demand is known."""
    from .commands.data import run

    run(name.value, out, events, items, seed)


@verb
def problem(
    name: Annotated[
        str | None, typer.Argument(help="Which one: lost-sales/poisson-L4-p4.", metavar="[NAME]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write the market to.")] = None,
    list: Annotated[bool, typer.Option("--list", help="Show all problems, with optimum and source.")] = False,
    json: Json = False,
) -> None:
    """Write a problem whose optimum is known as a market."""
    from .commands.problem import run

    run(name, out, list, json)


@verb
def fit(
    out: Annotated[Path, typer.Option(help="Folder to write the market to.")],
    panel: OptionalPanel = None,
    economics: EconomicsFile = None,
    start: Start = None,
    effort: Effort = FitEffort.usual,
    map: Map = [],  # noqa: B006 (typer never mutates it)
    freq: Freq = None,
    absent: Absent = "unknown",
    role: Roles = [],  # noqa: B006
    holidays: Holidays = None,
    drop: Drop = [],  # noqa: B006
    trunk: TrunkKind = None,
    width: Width = None,
    blocks: Blocks = None,
    seed: Seed = 0,
    tune: Tune = 0,
    tensorboard: TensorBoardFolder = None,
    experiment: Annotated[
        Path | None, typer.Option(help="Also learn from a price test: what `mercato experiment read` wrote.")
    ] = None,
    events: EventsFile = None,
    map_events: EventsMap = [],  # noqa: B006
    busy: Busy = None,
    items: ItemsFile = None,
    relations: RelationsFile = None,
) -> None:
    """Learn a market from a sales table, and from what its customers did; or from receipts alone."""
    from .commands.fit import run

    reading = parse_reading(map, freq, absent, role, holidays, drop)
    network = {"kind": None if trunk is None else trunk.value, "width": width, "blocks": blocks}
    beside = parse_beside(events, items, relations, map_events, busy)
    run(panel, out, economics, start, effort, reading, network, seed, tune, tensorboard, experiment, beside)


@verb
def card(
    market: MarketFolder,
    json: Json = False,
    out: Annotated[Path | None, typer.Option(help="Also write the card as a page (.html).")] = None,
    seed: Seed = 0,
) -> None:
    """Show how far to trust a market: elasticities, prices that were tried, simulated against real sales."""
    from .commands.card import run

    run(market, json, out, seed)


@verb
def backtest(
    panel: PanelFile,
    horizon: Annotated[int, typer.Option(min=1, help="Periods to forecast in each window, H.")],
    windows: Annotated[int, typer.Option(min=1, help="Number of windows at the end of the table, K.")],
    json: Json = False,
    out: Annotated[
        Path | None, typer.Option(help="Also write the quantile forecasts, CSV or parquet.")
    ] = None,
    model: Model = None,
    peers: Peers = False,
    map: Map = [],  # noqa: B006
    freq: Freq = None,
    absent: Absent = "unknown",
    role: Roles = [],  # noqa: B006
    holidays: Holidays = None,
    drop: Drop = [],  # noqa: B006
    seed: Seed = 0,
) -> None:
    """Forecast the last periods of a table from those before, and compare with simple forecasters."""
    from .commands.backtest import run

    reading = parse_reading(map, freq, absent, role, holidays, drop)
    run(panel, horizon, windows, json, out, model, peers, reading, seed)


@verb
def forecast(
    panel: PanelFile,
    horizon: Annotated[int, typer.Option(min=1, help="Periods to forecast after the last sales, H.")],
    out: Annotated[Path, typer.Option(help="Deciles of every series and period, CSV or parquet.")],
    model: Model = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add what prices, promotions … multiply each forecast with.")
    ] = False,
    map: Map = [],  # noqa: B006
    freq: Freq = None,
    absent: Absent = "unknown",
    role: Roles = [],  # noqa: B006
    holidays: Holidays = None,
    drop: Drop = [],  # noqa: B006
    seed: Seed = 0,
) -> None:
    """Forecast the periods after the last sales; rows with empty units say what is planned for them."""
    from .commands.forecast import run

    reading = parse_reading(map, freq, absent, role, holidays, drop)
    run(panel, horizon, out, model, explain, reading, seed)


@verb
def pretrain(
    out: Annotated[Path, typer.Option(help="File to write, .safetensors.")],
    steps: Annotated[int | None, typer.Option(min=1, help="Steps, of 8 markets each.")] = None,
    width: Width = None,
    blocks: Blocks = None,
    seed: Seed = 0,
    tensorboard: TensorBoardFolder = None,
) -> None:
    """Train a market model, which forecasts any table, on markets drawn at random."""
    from .commands.pretrain import run

    run(out, steps, width, blocks, seed, tensorboard)


@verb
def export(
    out: Annotated[Path, typer.Option(help="File to write, .onnx.")],
    model: Annotated[
        Path | None,
        typer.Argument(
            help="Market model that `mercato pretrain` wrote (default: the shipped one).", metavar="[MODEL]"
        ),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Round weights and activations to 8 bits: a third of the size.")
    ] = False,
) -> None:
    """Write a market model as ONNX, checked against the original."""
    from .commands.export import run

    run(model, out, int8)


@verb
def bound(market: MarketFolder, economics: EconomicsFile = None, json: Json = False, seed: Seed = 0) -> None:
    """Work out what prices that move with the stock are worth at most, before you train."""
    from .commands.bound import run

    run(market, economics, json, seed)


@verb
def train(
    market: MarketFolders,
    algo: Annotated[Algorithm, typer.Option(help="Learning algorithm.")],
    out: Annotated[Path, typer.Option(help="Policy file to write (.safetensors).")],
    start: Annotated[
        Path | None,
        typer.Option(help="Policy to go on from, such as one of several markets, for a minute (pathwise)."),
    ] = None,
    caution: Annotated[
        float, typer.Option(min=0, help="Penalise this multiple of the revenue that the model is unsure of.")
    ] = 0.0,
    seed: Seed = 0,
    seeds: Annotated[
        int, typer.Option(min=1, help="Number of trainings, with seeds from --seed on; one file each.")
    ] = 1,
    workers: Workers = None,
    ray: Ray = None,
    tensorboard: TensorBoardFolder = None,
) -> None:
    """Train a pricing and replenishment policy in a market."""
    from .commands.train import run

    run(market, algo.value, out, start, caution, seed, seeds, workers, ray, tensorboard)


@verb
def benchmark(
    market: MarketFolder,
    policies: Annotated[
        list[Path] | None, typer.Argument(metavar="[POLICY]…", help="Policies that `mercato train` wrote.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="Truth folder: also compare in the true market.")] = None,
    episodes: Episodes = None,
    horizon: Annotated[int, typer.Option(min=1, help="Periods per episode.")] = 26,
    rolling: Annotated[
        bool | None,
        typer.Option(help="A rule that looks ahead every period, dear (default: for few series)."),
    ] = None,
    json: Json = False,
    seed: Seed = 0,
    workers: Workers = None,
    ray: Ray = None,
) -> None:
    """Compare policies with the rules a shop would use today, with the same simulated customers."""
    from .commands.benchmark import run

    run(market, policies or [], truth, episodes, horizon, rolling, json, seed, workers, ray)


@verb
def whatif(
    market: Annotated[
        Path | None, typer.Argument(help="Folder that `mercato fit` wrote.", metavar="MARKET")
    ] = None,
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(help="Scenario files, YAML, or names (--list).", metavar="SCENARIO…"),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="One more scenario; a.yaml+b.yaml: both at once.", metavar="FILE"),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(help="Policy that decides (default: the prices of the table, base-stock orders)."),
    ] = None,
    policies: Annotated[
        str | None,
        typer.Option(help="Several: files and names of baselines, a,b (usual, cost-plus, static-price …)."),
    ] = None,
    episodes: Annotated[
        int | None, typer.Option(min=2, max=10_000, help="Instead of the scenario's.")
    ] = None,
    by: Annotated[By | None, typer.Option(help="Also a table of each location or item.")] = None,
    ready: Annotated[bool, typer.Option("--list", help="Print the ready scenarios.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of scenario files.")
    ] = False,
    json: Json = False,
    seed: Seed = 0,
    workers: Workers = None,
    ray: Ray = None,
) -> None:
    """Simulate the same episodes with and without a scenario, and show what it changes."""
    from .commands.whatif import list_ready, print_schema, run

    if ready:
        list_ready(json)
    elif schema:
        print_schema()
    else:
        asked = [*(scenarios or []), *(scenario or [])]
        chosen = [policy, *(name.strip() for name in (policies or "").split(","))]
        run(market, asked, [one for one in chosen if one], episodes, by, json, seed, workers, ray)


@verb
def decide(
    market: MarketFolder,
    policy: PolicyFile,
    panel: Annotated[Path, typer.Option(help="Latest sales table, with the columns of the fitted one.")],
    out: Annotated[Path, typer.Option(help="CSV to write, one row per location and item.")],
    stock: StockFile = None,
    currency: Currency = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add what stock, past demand … add to each price and order.")
    ] = False,
    json: Json = False,
    seed: Seed = 0,
) -> None:
    """Decide prices and orders for the coming period."""
    from .commands.decide import run

    run(market, policy, panel, stock, out, currency, explain, json, seed)


for _elsewhere in (run, demo, update, drift, why, response, trajectory):
    verb(_elsewhere)


@verb
def report(
    folder: Annotated[
        Path, typer.Argument(help="Folder of a run; or, with policies, a market.", metavar="RUN|MARKET")
    ],
    policies: Annotated[
        list[Path] | None, typer.Argument(metavar="[POLICY]…", help="Policies that `mercato train` wrote.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Page to write (default: RUN/report.html).")] = None,
    episodes: Episodes = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="As for `benchmark` (default: 26).")] = None,
    currency: Currency = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**31 - 1, help="As for `benchmark` (default: 0).")
    ] = None,
    workers: Workers = None,
    ray: Ray = None,
) -> None:
    """Write the report page of a run again, or benchmark policies in a market and write theirs."""
    from .commands.report import run

    run(folder, policies or [], out, episodes, horizon, currency, seed, workers, ray)


@verb
def ui(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Folder of a run or of a market (default: runs/demo).", metavar="[RUN|MARKET]"),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; another one asks for a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0: any free one.")] = 8080,
    token: Annotated[
        str | None, typer.Option(help="Ask for this token (default: a new one, where other machines see it).")
    ] = None,
) -> None:
    """Open a local page: the card, forecasts, price responses, scenarios and policies."""
    from .commands.ui import run

    run(folder, host, port, token)


def main() -> None:
    os.environ.setdefault(
        "OMP_WAIT_POLICY", "PASSIVE"
    )  # OpenMP reads it as torch loads, which no verb has done
    app(prog_name="mercato")


if __name__ == "__main__":
    main()
