"""What is learned of customers, and the population that a market simulates."""

from .account import Account, Segment
from .answers import Answer, Answers
from .leaving import LeavingFit
from .lift import Lift
from .particles import Learned, learn_population
from .population import Leaving, Population
from .recommenders import Personal, Popular, Pushed, Recommender, WorthMost, lifted, slates
from .scores import Bin, scored
from .store import load_population, save_population

__all__ = [
    "Account",
    "Answer",
    "Answers",
    "Bin",
    "Learned",
    "Leaving",
    "LeavingFit",
    "Lift",
    "Personal",
    "Popular",
    "Population",
    "Pushed",
    "Recommender",
    "Segment",
    "WorthMost",
    "learn_population",
    "lifted",
    "load_population",
    "save_population",
    "scored",
    "slates",
]
