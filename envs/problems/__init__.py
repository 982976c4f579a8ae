"""Problems whose optimum is known, each a configuration of the one engine."""

from .catalogue import CATALOGUE, problem
from .duopoly import LogitDuopoly
from .fixed_order_cost import ZHENG_FEDERGRUEN, FixedOrderCost
from .joint_replenishment import TWO_ITEMS, JointReplenishment
from .lost_sales import ZIPKIN, LostSales
from .newsvendor import NEWSVENDORS, Newsvendor
from .pricing import (
    CLEARANCE,
    FEDERGRUEN_HECHING,
    FRESH_FOOD,
    GALLEGO_VAN_RYZIN,
    SLOW_SUPPLY,
    Pricing,
    finite_stock,
)
from .problem import COST, PROFIT, SEASON, Objective, Problem, plain_market

__all__ = [
    "CATALOGUE",
    "CLEARANCE",
    "COST",
    "FEDERGRUEN_HECHING",
    "FRESH_FOOD",
    "GALLEGO_VAN_RYZIN",
    "NEWSVENDORS",
    "PROFIT",
    "SEASON",
    "SLOW_SUPPLY",
    "TWO_ITEMS",
    "ZHENG_FEDERGRUEN",
    "ZIPKIN",
    "FixedOrderCost",
    "JointReplenishment",
    "LogitDuopoly",
    "LostSales",
    "Newsvendor",
    "Objective",
    "Pricing",
    "Problem",
    "finite_stock",
    "plain_market",
    "problem",
]
