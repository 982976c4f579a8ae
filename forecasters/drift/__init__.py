"""Whether a market is still as it was learned: sequential tests on what it did not expect."""

from .alarms import RATE, Alarm, alarms
from .columns import column_alarms
from .surprises import Surprises

__all__ = ["RATE", "Alarm", "Surprises", "alarms", "column_alarms"]
