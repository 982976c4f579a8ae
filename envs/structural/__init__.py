"""Structural markets: demand whose truth is known, the panels they left, and the environments they are.

A family is one file with a parameter dataclass and a process that meets ``family.StructuralDemand``; the
retailer, the history, the tables and the environment are the same for all.
"""

from .draw import Size, draw_log_linear
from .families import FAMILIES, Family
from .leaving import LeavingDemand
from .log_linear import LogLinear, LogLinearDemand
from .oracle import Estimate, oracle_elasticities, shrunk
from .receipts import effect_of_showing, events_file, receipts
from .reference import ROLES, make_reference, truth_folder
from .response import demand_change, own_elasticities
from .retailer import History, Retailer, write_history
from .truth import Truth, true_market

__all__ = [
    "FAMILIES",
    "ROLES",
    "Estimate",
    "Family",
    "History",
    "LeavingDemand",
    "LogLinear",
    "LogLinearDemand",
    "Retailer",
    "Size",
    "Truth",
    "demand_change",
    "draw_log_linear",
    "effect_of_showing",
    "events_file",
    "make_reference",
    "oracle_elasticities",
    "own_elasticities",
    "receipts",
    "shrunk",
    "true_market",
    "truth_folder",
    "write_history",
]
