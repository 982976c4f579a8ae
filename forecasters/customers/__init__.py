"""What is learned of customers, and the population that a market simulates.

What a market is played with is imported at once; what asks for much else (learning, scores,
answers) when it is first named, so that a market that knows no customers waits for none of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .account import Account, Segment, Signal
from .action import Campaign, Coupons, CustomerAction, Seeds, Showing
from .assortment import Assortment
from .lift import Lift
from .population import Channels, Contagion, Leaving, MovedBy, Population, Switching
from .recommenders import Personal, Popular, Pushed, Recommender, WorthMost, lifted, slates
from .store import load_population, save_population

if TYPE_CHECKING:
    from .accounting import account_of
    from .answers import Answers
    from .leaving import LeavingFit
    from .particles import Learned, learn_population
    from .scores import HORIZON, Bin, calibration, scored

__all__ = [
    "HORIZON",
    "Account",
    "Answers",
    "Assortment",
    "Bin",
    "Campaign",
    "Channels",
    "Contagion",
    "Coupons",
    "CustomerAction",
    "Learned",
    "Leaving",
    "LeavingFit",
    "Lift",
    "MovedBy",
    "Personal",
    "Popular",
    "Population",
    "Pushed",
    "Recommender",
    "Seeds",
    "Segment",
    "Showing",
    "Signal",
    "Switching",
    "WorthMost",
    "account_of",
    "calibration",
    "learn_population",
    "lifted",
    "load_population",
    "save_population",
    "scored",
    "slates",
]
_LATER = {
    "Answers": "answers",
    **dict.fromkeys(("HORIZON", "Bin", "calibration", "scored"), "scores"),
    "LeavingFit": "leaving",
    **{"Learned": "particles", "account_of": "accounting", "learn_population": "particles"},
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LATER[name]}", __name__), name)
