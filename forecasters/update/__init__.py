"""A fitted model kept true: grown with its market, conditioned, settled or fitted again, and put on trial."""

from .depths import DEPTHS, Depth, conditioned, refitted, resettled, settled
from .growth import grown_model
from .trial import Trial, compared, judged

__all__ = [
    "DEPTHS",
    "Depth",
    "Trial",
    "compared",
    "conditioned",
    "grown_model",
    "judged",
    "refitted",
    "resettled",
    "settled",
]
