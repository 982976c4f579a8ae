"""Markets on disk; of a fitted one the panel, the demand model, the terms and the economics."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..forecasters.errors import InputError
from ..forecasters.evaluation import Forecaster, anchored_to_forecast
from ..forecasters.events import Records
from ..forecasters.experiments import Findings
from ..forecasters.fit import fit_demand, periods_a_year
from ..forecasters.model import DemandModel, FitSettings
from ..forecasters.panel import read_panel, write_panel
from ..forecasters.panel.sales_panel import CleaningReport, SalesPanel
from ..forecasters.progress import SILENT, Progress
from ..forecasters.reading import Reading
from ..forecasters.seal import SEAL, sealed, unsealed
from ..forecasters.simulation import LearnedDemand
from ..forecasters.store import load_model, save_model
from ..forecasters.tensors import numbered
from ..forecasters.tuning import Tuning
from .customers import FOLDER as CUSTOMERS
from .customers import MarketCustomers, Write, learned_of, load_customers
from .economics import Economics
from .engine.support import SUPPORT, PriceLists
from .folders import replace_folder, sole_writer
from .independent import ABOUT as _INDEPENDENT
from .independent import read_independent, write_independent
from .market import Market, Terms

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 2  # of the files of a fitted market
_ABOUT, _WHAT = "market.json", "a fitted market"
_PANEL, _READING = "panel.parquet", "reading.json"
_TRIALS = "tuning.sqlite3"
_LARGEST_COST = 0.98  # unit cost as a share of reference price, beyond which it is clipped


def fit_market(
    panel: SalesPanel,
    economics: Economics,
    out: Path,
    settings: FitSettings | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
    device: torch.device | str = "cpu",
    forecaster: Forecaster | None = None,
    tune: int = 0,
    test: Findings | None = None,
    records: Records | None = None,
) -> Market:
    """Fit a panel and write the market to the folder ``out``, whole or not at all.

    With it goes what ``records`` tell of its customers.

    Its levels follow the forecast of ``forecaster`` where there is one, and it is better than their own.
    With ``tune`` so many settings are tried; those that an earlier fit of the same tried, which lie in
    ``out``, count. Interrupted, the same fit goes on from the checkpoint beside ``out``.

    Raises:
        InputError: ``out`` holds something else, or another process writes it.
    """
    check_replaceable(out)
    with sole_writer(out):
        checkpoint = out.parent / f".{out.name}-training.safetensors"
        trials = out.parent / f".{out.name}-{_TRIALS}"
        if tune and not trials.exists() and (out / _TRIALS).is_file():
            shutil.copyfile(out / _TRIALS, trials)
        tuning = Tuning(tune, trials) if tune else None
        customers = None if records is None else learned_of(records, panel, seed, progress)
        known = None if records is None else records.relations
        model = fit_demand(
            panel, settings, seed, progress, device, checkpoint, tuning, test=test, known=known
        )
        if forecaster is not None:
            model = anchored_to_forecast(model, panel, forecaster, seed, progress)
        save_market(out, model, panel, economics, trials if tune else None, customers=customers)
        checkpoint.unlink(missing_ok=True)
        if tune:
            trials.unlink(missing_ok=True)
    return fitted_market(model, panel, economics, out.name, load_customers(out))


def fitted_market(
    model: DemandModel,
    panel: SalesPanel,
    economics: Economics,
    name: str,
    customers: MarketCustomers | None = None,
) -> Market:
    """The market that a fitted model and its panel make, with the customers who are known of it."""
    demand = LearnedDemand.after(model, panel)
    window = model.settings.trunk.window
    return Market(
        name=name,
        dates=panel.dates,
        frequency=panel.frequency,
        categories=panel.categories,
        price_groups=panel.price_groups,
        economics=economics,
        terms=learned_terms(demand, panel, economics),
        demand=demand,
        logged_price=demand.history.log_price.exp(),
        first_start=min(window, panel.periods // 2),
        panel=panel,
        customers=customers,
    )


def learned_terms(demand: LearnedDemand, panel: SalesPanel, economics: Economics) -> Terms:
    """Terms of a learned market.

    Reference price: median of the last year. Supported: the item's prices of the last year as multiples of
    it, pooled over locations (older ones belong to other price levels), and the lists of prices that a
    category's items had together. Unit cost: median of the last year, else the assumed share of reference
    price.
    """
    history, pivot = demand.history, demand.response.pivot
    shift = (history.log_price - pivot).where(history.known, torch.nan)
    by_item = shift[-periods_a_year(panel) :].permute(2, 0, 1).flatten(1)
    low, high = (torch.nanquantile(by_item, q, dim=1) for q in SUPPORT)
    low, high = low.nan_to_num(0), high.nan_to_num(0)
    reference, typical = pivot.exp(), _typical_demand(demand)
    recent = slice(-periods_a_year(panel), None)
    categories = numbered(panel.categories).to(pivot.device)
    return Terms(
        reference_price=reference,
        price_low=reference * low.exp(),
        price_high=reference * high.exp(),
        unit_cost=_unit_cost(panel, reference, economics),
        typical_demand=typical,
        lists=PriceLists.tried(
            (history.log_price - pivot)[recent], history.known[recent], categories, typical
        ),
    )


def _unit_cost(panel: SalesPanel, reference: Tensor, economics: Economics) -> Tensor:
    assumed = economics.unit_cost_share * reference
    if panel.cost is None:
        return assumed
    recent = torch.from_numpy(panel.dense(panel.cost[-periods_a_year(panel) :], np.nan)).to(reference.device)
    cost = torch.nanmedian(recent, dim=0).values
    return torch.minimum(torch.where(cost.isfinite(), cost, assumed), _LARGEST_COST * reference)


def _typical_demand(demand: LearnedDemand) -> Tensor:
    """(S, I) mean over the history of what would have sold at reference prices and today's levels."""
    history, response = demand.history, demand.response
    charged = response.effect(history.log_price, history.promo) + history.steps
    usual = response.effect(response.pivot) - charged
    weight = history.known.float()
    total = (history.demand * usual.exp() * weight).sum(0)
    return (total / weight.sum(0).clamp(min=1)).clamp(min=1e-3)


def check_replaceable(folder: Path) -> None:
    """Refuse to overwrite what is not a market.

    Raises:
        InputError: ``folder`` is a file, or a folder that holds something else.
    """
    market = any((folder / name).exists() for name in (_ABOUT, _INDEPENDENT))
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not market):
        raise InputError(
            f"{folder}: expected a market folder to replace or a new name, found something else there"
        )


def save_market(
    folder: Path,
    model: DemandModel,
    panel: SalesPanel,
    economics: Economics,
    trials: Path | None = None,
    version: Mapping[str, Any] | None = None,
    customers: Write | None = None,
) -> None:
    """Write the market folder whole or not at all, with a copy of the ``trials`` that found its settings.

    ``version`` is what is told of an update (``envs.versions``), in JSON's types; ``customers`` writes what
    is known of them (``envs.customers``).
    """
    check_replaceable(folder)
    about = {
        "format": FORMAT,
        "economics": economics.model_dump(exclude_unset=True),
        "cleaning": {
            "rows_read": panel.report.rows_read,
            "rows_kept": panel.report.rows_kept,
            "notes": panel.report.notes,
        },
        **({} if version is None else {"version": dict(version)}),
    }

    def write(new: Path) -> None:
        write_panel(panel, new / _PANEL)
        panel.reading.save(new / _READING)
        save_model(model, new)
        if customers is not None:
            (new / CUSTOMERS).mkdir()
            customers(new / CUSTOMERS)
        files = sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file())
        told = sealed(about, new, files)
        (new / _ABOUT).write_text(json.dumps(told, indent=1))
        if trials is not None:  # not sealed: a tool that shows them may write to it
            shutil.copyfile(trials, new / _TRIALS)

    replace_folder(folder, write)


def write_market(market: Market, folder: Path) -> None:
    """Write a market of independent demand, whole or not at all.

    Raises:
        InputError: its demand is of another kind; ``folder`` holds something else, or another process writes
            it.
    """
    check_replaceable(folder)
    with sole_writer(folder):
        write_independent(market, folder)


def load_panel(folder: Path) -> SalesPanel:
    """The panel of a market's folder, with the cleaning report of the table that it was read from, and how.

    Raises:
        InputError: the folder holds no fitted market.
    """
    if not (folder / _ABOUT).exists():
        raise InputError(
            f"{folder}: expected a fitted market (made by `mercato fit`), found none{_within(folder)}"
        )
    return _told_panel(folder, unsealed(folder, _ABOUT, _WHAT, FORMAT))


def told_of(folder: Path) -> dict[str, Any]:
    """What a fitted market's folder tells of itself, where its seal is whole.

    Raises:
        InputError: the folder holds no fitted market, or a damaged one.
    """
    return unsealed(folder, _ABOUT, _WHAT, FORMAT)


def _told_panel(folder: Path, about: dict[str, Any]) -> SalesPanel:
    """The panel of a folder whose seal is whole, with what ``about`` it tells."""
    cleaning = about["cleaning"]
    report = CleaningReport(cleaning["rows_read"], cleaning["rows_kept"], tuple(cleaning["notes"]))
    panel, reading = _read_once(folder, about[SEAL])
    return replace(panel, report=report, reading=reading)


@lru_cache(maxsize=2)
def _read_once(folder: Path, seal: str) -> tuple[SalesPanel, Reading]:
    """The table in a folder of such a seal: who loads a market soon asks for its panel again."""
    return read_panel(folder / _PANEL), Reading.load(folder / _READING)


def _within(folder: Path) -> str:
    """Where the market is, if ``folder`` is that of a run, to end an error with."""
    market = folder / "market"
    return f"; did you mean {market}?" if (market / _ABOUT).is_file() else ""


def load_market(path: str | Path) -> Market:
    """A market folder, of a fitted market or one of independent demand, or the truth folder of a reference
    panel, as a market to play.

    Raises:
        InputError: the path is none of them.
    """
    folder = Path(path)
    if (folder / _INDEPENDENT).exists():
        return read_independent(folder)
    if any((folder / name).exists() for name in (_ABOUT, "model.json")):
        about = unsealed(folder, _ABOUT, _WHAT, FORMAT)
        panel, economics = _told_panel(folder, about), Economics(**about["economics"])
        return fitted_market(load_model(folder), panel, economics, folder.name, load_customers(folder))
    from .structural.truth import Truth, is_truth, true_market

    if not is_truth(folder):
        raise InputError(
            f"{folder}: expected a market folder (made by `mercato fit`), found none{_within(folder)}"
        )
    return true_market(Truth.load(folder))
