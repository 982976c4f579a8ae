"""Where the numbers are crunched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..forecasters.errors import InputError

if TYPE_CHECKING:
    from ..envs.market import Market
    from ..forecasters.panel.sales_panel import SalesPanel


def device() -> str:
    """The GPU where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def open_market(path: Path) -> Market:
    """A market from its folder, on the device that plays it.

    Raises:
        InputError: the folder holds no market.
    """
    from ..envs.store import load_market

    return load_market(path).to(device())


def fitted_panel(market: Market) -> SalesPanel:
    """The table that a market was fitted to.

    Raises:
        InputError: it was fitted to none.
    """
    if market.panel is None:
        raise InputError(f"market {market.name}: expected one that was fitted to a table, found another")
    return market.panel
