"""What is learned of customers, and the population that a market simulates."""

from .leaving import LeavingFit
from .particles import Learned, learn_population
from .population import Leaving, Population
from .store import load_population, save_population

__all__ = [
    "Learned",
    "Leaving",
    "LeavingFit",
    "Population",
    "learn_population",
    "load_population",
    "save_population",
]
