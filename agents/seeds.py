"""Seeds for each purpose, so that tuning, training and choosing never meet the customers of the report."""

from __future__ import annotations

from ..forecasters.tensors import stable_id


def seed_for(purpose: str, seed: int) -> int:
    """A seed in 0 … 2**31 - 1 that belongs to ``purpose`` alone."""
    return stable_id(purpose, str(seed)) % 2**31
