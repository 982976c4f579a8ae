"""What customers did, event by event: the second input format, its reader, what it says beside a panel."""

from .events import KINDS, Events, Kind
from .items import Items, read_items, write_items
from .reader import read_events
from .relations import Relation, Relations, Rule, read_relations, write_relations
from .writer import to_frame, write_events

__all__ = [
    "KINDS",
    "Events",
    "Items",
    "Kind",
    "Relation",
    "Relations",
    "Rule",
    "read_events",
    "read_items",
    "read_relations",
    "to_frame",
    "write_events",
    "write_items",
    "write_relations",
]
