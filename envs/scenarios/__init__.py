"""What if: effects on demand, costs, supply and prices, scenarios made of them, and ready ones."""

from .of_assortment import Delisting, NewItem, NewLocation
from .of_calendar import Calendar
from .of_costs import Cost, Holding, Ordering, Shortage
from .of_demand import Demand, Elasticity, Reference, Traffic
from .of_prices import Price, PriceLimits, Promotion
from .of_rivals import Competitor
from .of_supply import Capacity, LeadTime, Outage
from .plan import Plan
from .reading import AnyScenario, Asked, read_scenario, read_scenarios
from .scenario import EFFECTS, Scenario, composed
from .spreading import Shock

__all__ = [
    "EFFECTS",
    "AnyScenario",
    "Asked",
    "Calendar",
    "Capacity",
    "Competitor",
    "Cost",
    "Delisting",
    "Demand",
    "Elasticity",
    "Holding",
    "LeadTime",
    "NewItem",
    "NewLocation",
    "Ordering",
    "Outage",
    "Plan",
    "Price",
    "PriceLimits",
    "Promotion",
    "Reference",
    "Scenario",
    "Shock",
    "Shortage",
    "Traffic",
    "composed",
    "read_scenario",
    "read_scenarios",
]
