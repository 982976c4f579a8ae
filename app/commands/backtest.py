"""``mercato backtest``: forecasts of the panel's last periods against what came."""

from __future__ import annotations

from pathlib import Path

from ...forecasters.errors import InputError
from ...forecasters.reading import Reading
from ..console import Bars, print_table, stderr, stdout
from ..output import to_json, write_file
from ..report.words import percent


def run(
    panel: Path,
    horizon: int,
    windows: int,
    json: bool,
    out: Path | None,
    model: Path | None,
    peers: bool,
    reading: Reading,
    seed: int,
) -> None:
    from ...forecasters.evaluation import Forecaster, run_backtest, with_forecast, with_peers
    from ...forecasters.market_model import MarketModel, shipped

    if out is not None and out.suffix not in (".csv", ".parquet"):
        raise InputError(f"--out: expected a file ending in .csv or .parquet, found {out}")
    general = None if model is None else MarketModel.load(model)
    table = reading.read(panel)
    with Bars(stderr()) as bars:
        found = run_backtest(table, horizon, windows, seed, bars, forecaster=Forecaster(general or shipped()))
        found = with_forecast(found, table, horizon, windows, seed, bars, model=general)
        if peers:
            found = with_peers(found, table, horizon, windows, seed, bars)
    if out is not None:
        write = found.quantiles.to_csv if out.suffix == ".csv" else found.quantiles.to_parquet
        write_file(out, lambda path: write(path, index=False))
        stderr().print(f"wrote {out}")
    if json:
        print(to_json({"models": found.models}))
        return
    rows = [
        (
            name,
            percent(score["wape"]),
            percent(score["wpe"]),
            f"{score['wql']:.4f}",
            percent(score["coverage80"]),
            f"{score['rows']:,.0f}",
            f"{score['seconds']:.1f}",
        )
        for name, score in sorted(found.models.items(), key=lambda pair: pair[1]["wql"])
    ]
    title = f"{windows} windows of {horizon} periods"
    columns = ("model", "WAPE", "WPE", "WQL", "80% covers", "rows", "seconds")
    print_table(stdout(), title, columns, rows)
