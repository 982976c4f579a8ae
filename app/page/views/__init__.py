"""The views of the page, in the order of its menu: one file each."""

from __future__ import annotations

from ..view import View
from . import card, decisions, forecast, policies, response, scenario

VIEWS: tuple[View, ...] = (
    card.VIEW,
    forecast.VIEW,
    response.VIEW,
    scenario.VIEW,
    policies.VIEW,
    decisions.VIEW,
)
