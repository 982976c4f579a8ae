"""How long the demo takes on the daily grocery."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from .piece import Found, Plan
from .running import mercato
from .stock_outs import step

_MOST = 360  # seconds


def ta_feng(plan: Plan) -> Found:
    """``mercato demo --data ta-feng``; quick: a rehearsal on the reference table."""
    words = ["--data", "reference", "--quick"] if plan.quick else ["--data", "ta-feng"]
    with TemporaryDirectory() as folder:
        return Found([step("demo", mercato("demo", "--out", Path(folder) / "run", *words), _MOST)])
