"""What customers did, event by event: the second input format, its reader, what it says beside a panel."""

from .coverage import Coverage, reconciled
from .events import KINDS, Events, Kind
from .items import Items, path_of, path_text, read_items, write_items
from .joined import carried_on
from .reader import read_events
from .receipts import BUSY, panel_of
from .records import EVENTS, ITEMS, Records, read_records
from .relations import Relation, Relations, Rule, read_relations, write_relations
from .writer import to_frame, write_events

__all__ = [
    "BUSY",
    "EVENTS",
    "ITEMS",
    "KINDS",
    "Coverage",
    "Events",
    "Items",
    "Kind",
    "Records",
    "Relation",
    "Relations",
    "Rule",
    "carried_on",
    "panel_of",
    "path_of",
    "path_text",
    "read_events",
    "read_items",
    "read_records",
    "read_relations",
    "reconciled",
    "to_frame",
    "write_events",
    "write_items",
    "write_relations",
]
