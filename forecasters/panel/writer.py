"""Write a panel as a tidy table that ``read_panel`` reads back as the same panel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .sales_panel import SalesPanel
from .tables import SALES, write_table


def to_frame(panel: SalesPanel) -> pd.DataFrame:
    """The panel as one row a (date, location, item) between each series' first and last row.

    Units are NaN where unknown. A series without any price (a window can leave none) has no row.
    """
    period, owner = np.nonzero(~np.isnan(panel.price))
    place, item = panel.series[owner].T

    def cells(table: np.ndarray) -> np.ndarray:
        return table[period, owner]

    columns: dict[str, np.ndarray | pd.Categorical] = {
        "date": panel.dates[period].astype("datetime64[s]"),
        "location": np.array(panel.locations, dtype=object)[place],
        "item": np.array(panel.items, dtype=object)[item],
        "units": cells(panel.units),
        "price": cells(panel.price),
        "censored": cells(panel.censored),
        "category": np.array(panel.categories, dtype=object)[item],
        "price_group": np.array(panel.price_groups, dtype=object)[place],
    }
    if panel.cost is not None:
        columns["cost"] = cells(panel.cost)
    if panel.coordinates is not None:
        columns["lat"], columns["lon"] = panel.coordinates[place].T
    for covariate in panel.covariates:
        columns[covariate.name] = cells(covariate.values)
    return pd.DataFrame(columns)


def write_panel(panel: SalesPanel, path: str | Path) -> None:
    """Write ``path`` (parquet) whole or not at all, with frequency, roles and notes in its metadata.

    Raises:
        InputError: the path does not end in .parquet or cannot be written.
    """
    about = {
        "frequency": panel.frequency,
        "roles": {covariate.name: covariate.role for covariate in panel.covariates},
        "holidays": next((c.country for c in panel.covariates if c.country), None),
        "notes": panel.report.notes,
    }
    write_table(to_frame(panel), path, SALES, about)
