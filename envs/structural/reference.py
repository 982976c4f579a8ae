"""The sales table of a true market, with the truth beside it; ``reference`` is the log-linear one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from ...forecasters.panel import Role, read_panel, write_panel
from .draw import Size, draw_log_linear
from .retailer import Retailer, write_history
from .truth import Truth

ROLES: dict[str, Role] = {
    "cost_shifter": "instrument",
    "promo": "decision",
    "income": "static",
    "stock_on_hand": "past",
}
"""What the reader cannot tell from the names alone."""


def make_reference(
    seed: int = 0, size: Size = Size(), retailer: Retailer = Retailer()
) -> tuple[pd.DataFrame, Truth]:
    """A panel as a data frame in the panel contract, and the truth behind it; a function of its arguments."""
    market, history = write_history(draw_log_linear(size, seed), retailer, size.weeks, seed)
    truth = Truth(market, history)
    return panel_frame(truth), truth


def panel_frame(truth: Truth) -> pd.DataFrame:
    """What the retailer's table shows: one row a (date, location, item) that is listed."""
    shop, history = truth.demand.shop, truth.history
    shape = tuple(history.price.shape)

    def by(axis: int, values: np.ndarray) -> np.ndarray:
        view = [1, 1, 1]
        view[axis] = -1
        return np.broadcast_to(values.reshape(view), shape).reshape(-1)

    def column(values: Tensor, digits: int) -> np.ndarray:
        return values.double().numpy().round(digits).reshape(-1)

    frame = pd.DataFrame(
        {
            "date": by(0, truth.dates),
            "location": by(1, np.array(shop.locations)),
            "item": by(2, np.array(shop.items)),
            "category": by(2, np.array(shop.categories)),
            "units": column(history.sales, 0),
            "price": column(history.price, 4),
            "cost": column(history.cost, 4),
            "cost_shifter": column(history.shifter, 5),
            "promo": column(history.promo, 0),
            "income": by(1, shop.income.double().numpy().round(2)),
            "stock_on_hand": column(history.stock - history.sales, 0),  # as the week ends
            "censored": column(history.censored, 4),
            "lat": by(1, shop.coordinates[:, 0].double().numpy().round(4)),
            "lon": by(1, shop.coordinates[:, 1].double().numpy().round(4)),
        }
    )
    if shop.hours is not None:
        frame["hours_out"] = column(history.censored * shop.hours, 0)
    listed = truth.listed.flatten().numpy()
    return frame if listed.all() else frame[listed].reset_index(drop=True)


def truth_folder(panel: str | Path) -> Path:
    """Where the truth of a panel file lies: FILE.truth beside FILE.parquet."""
    return Path(panel).with_suffix(".truth")


def write_table(out: str | Path, frame: pd.DataFrame, truth: Truth) -> Path:
    """Write the panel to ``out`` (.parquet) and its truth to the folder beside it; returns ``out``."""
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_panel(read_panel(frame, roles=ROLES), out)
    truth.save(truth_folder(out))
    return out
