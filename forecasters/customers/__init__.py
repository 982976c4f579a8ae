"""What is learned of customers, and the population that a market simulates."""

from .population import Leaving, Population

__all__ = ["Leaving", "Population"]
