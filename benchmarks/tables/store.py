"""Pieces that are done, kept with the circumstances that they were measured in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..record import RESULTS, circumstances
from .piece import DONE

PATH = RESULTS / "any_table.json"

Result = dict[str, Any]  # outcome, why, figures, detail, seconds, peak, and the circumstances


class Store:
    """Results by the name of their piece: a file that is read as it is now and written at once."""

    def __init__(self, path: Path = PATH) -> None:
        self.path = path

    def all(self) -> dict[str, Result]:
        return json.loads(self.path.read_text())["pieces"] if self.path.is_file() else {}

    def done(self) -> dict[str, Result]:
        """Those that need not be measured again."""
        return {name: result for name, result in self.all().items() if result["outcome"] == DONE}

    def keep(self, name: str, result: Result) -> Result:
        """Add or replace a piece; returns it as it was kept."""
        kept = {**circumstances(), **result}
        pieces = {**self.all(), name: kept}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps({"pieces": pieces}, indent=1, ensure_ascii=False) + "\n")
        partial.replace(self.path)
        return kept
