"""The sales panel: the one public input format, its reader, its writer."""

from .extend import extended
from .reader import read_panel
from .sales_panel import ROLES, CleaningReport, Covariate, Role, SalesPanel
from .writer import to_frame, write_panel

__all__ = [
    "ROLES",
    "CleaningReport",
    "Covariate",
    "Role",
    "SalesPanel",
    "extended",
    "read_panel",
    "to_frame",
    "write_panel",
]
