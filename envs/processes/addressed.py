"""Customers to whom a shop does something beside its prices: of whichever process knows them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...forecasters.customers import CustomerAction
from ...forecasters.errors import InputError
from ...forecasters.simulation import DemandProcess


def addressed(
    process: DemandProcess, state: Any, action: CustomerAction, price: Tensor
) -> tuple[Any, Tensor]:
    """The state in which ``action`` is done to customers in the coming period, and the share (B, S, I) of
    revenue at ``price`` (B, S, I) that it gives back.

    Raises:
        InputError: the process has no customers who are known.
    """
    if not hasattr(process, "addressed"):
        raise InputError("expected a market with customers (fitted with --events), found none")
    found: tuple[Any, Tensor] = process.addressed(state, action, price)
    return found
