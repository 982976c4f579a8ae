"""What customers did, event by event: the second input format, its reader, what it says beside a panel."""

from .events import KINDS, Events, Kind
from .reader import read_events
from .writer import to_frame, write_events

__all__ = ["KINDS", "Events", "Kind", "read_events", "to_frame", "write_events"]
