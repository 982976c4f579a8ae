"""Problems whose optimum is known, each a configuration of the one engine."""

from .catalogue import CATALOGUE, problem
from .duopoly import LogitDuopoly
from .fixed_order_cost import ZHENG_FEDERGRUEN, FixedOrderCost
from .lost_sales import ZIPKIN, LostSales
from .newsvendor import NEWSVENDORS, Newsvendor
from .problem import COST, PROFIT, SEASON, Objective, Problem, one_series

__all__ = [
    "CATALOGUE",
    "COST",
    "NEWSVENDORS",
    "PROFIT",
    "SEASON",
    "ZHENG_FEDERGRUEN",
    "ZIPKIN",
    "FixedOrderCost",
    "LogitDuopoly",
    "LostSales",
    "Newsvendor",
    "Objective",
    "Problem",
    "one_series",
    "problem",
]
