"""What customers did, event by event: the second input format, its reader, what it says beside a panel."""

from .events import KINDS, Events, Kind

__all__ = ["KINDS", "Events", "Kind"]
