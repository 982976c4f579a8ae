"""What prices do to demand: elasticities, division over items, and a history freed of it."""

from .choice import BY_FORM, MOST, Choice, Way
from .price_response import CARRYOVER, WEAKEST, Context, PriceResponse, carried_over, extra, mean_listed
from .priced import adjusted_history, history_context, history_effect, log_level, with_steps

__all__ = [
    "BY_FORM",
    "CARRYOVER",
    "MOST",
    "WEAKEST",
    "Choice",
    "Context",
    "PriceResponse",
    "Way",
    "adjusted_history",
    "carried_over",
    "extra",
    "history_context",
    "history_effect",
    "log_level",
    "mean_listed",
    "with_steps",
]
