"""Problems whose optimum is known, each a configuration of the one engine."""

from .duopoly import LogitDuopoly
from .lost_sales import ZIPKIN, LostSales

__all__ = ["ZIPKIN", "LogitDuopoly", "LostSales"]
