"""Problems whose optimum is known, each a configuration of the one engine."""

from .catalogue import CATALOGUE, problem
from .duopoly import LogitDuopoly
from .lost_sales import ZIPKIN, LostSales
from .problem import COST, PROFIT, SEASON, Objective, Problem

__all__ = [
    "CATALOGUE",
    "COST",
    "PROFIT",
    "SEASON",
    "ZIPKIN",
    "LogitDuopoly",
    "LostSales",
    "Objective",
    "Problem",
    "problem",
]
