"""Price tests: designed for what they tell, read by their own randomisation; and what decisions earned."""

from .design import (
    DETECTABLE,
    NINETY,
    Candidates,
    Pairs,
    Power,
    believed,
    cheapest_pairs,
    choose,
    fewest_units,
    hidden,
    power,
    ways_to_draw,
)
from .findings import Finding, Findings, informed
from .held_out import Difference, synthetic_difference
from .plan import Plan, draw_up, plan_of
from .reading import Estimate, Rows, estimate

__all__ = [
    "DETECTABLE",
    "NINETY",
    "Candidates",
    "Difference",
    "Estimate",
    "Finding",
    "Findings",
    "Pairs",
    "Plan",
    "Power",
    "Rows",
    "believed",
    "cheapest_pairs",
    "choose",
    "draw_up",
    "estimate",
    "fewest_units",
    "hidden",
    "informed",
    "plan_of",
    "power",
    "synthetic_difference",
    "ways_to_draw",
]
