"""What the functions of the Python interface take: things as they are, or where they are kept."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..agents.policy import Policy
from ..envs.market import Market
from ..forecasters.errors import InputError, whole
from ..forecasters.panel import SalesPanel
from .runtime import open_market

LARGEST_SEED = 2**31 - 1

AnyMarket = Market | str | Path
AnyPanel = SalesPanel | pd.DataFrame | str | Path
AnyPolicy = Policy | str | Path


def open_any(market: AnyMarket) -> Market:
    """A market as it is, or from its folder.

    Raises:
        InputError: it is neither, or the folder is damaged.
    """
    if isinstance(market, Market):
        return market
    if not isinstance(market, str | Path):
        raise InputError(f"market: expected a market or the path of one, found {type(market).__name__}")
    return open_market(Path(market))


def valid_seed(seed: int) -> int:
    """``seed``.

    Raises:
        InputError: it is none.
    """
    return whole("seed", seed, 0, LARGEST_SEED)
