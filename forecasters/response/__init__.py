"""What prices do to demand: elasticities, division over items, and a history freed of it."""

from .choice import BY_FORM, MOST, Choice, Way
from .price_response import MEMORY, WEAKEST, Context, PriceResponse, extra, mean_listed, remembered
from .priced import adjusted_history, history_context, history_effect, log_level

__all__ = [
    "BY_FORM",
    "MEMORY",
    "MOST",
    "WEAKEST",
    "Choice",
    "Context",
    "PriceResponse",
    "Way",
    "adjusted_history",
    "extra",
    "history_context",
    "history_effect",
    "log_level",
    "mean_listed",
    "remembered",
]
