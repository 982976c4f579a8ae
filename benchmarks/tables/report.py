"""The pieces' figures as one Markdown table."""

from __future__ import annotations

from collections.abc import Mapping

from .piece import DONE
from .store import Result

_HEAD = "piece | figure | measured | must reach | reached | seconds | GB | commit"
_SAID = {True: "yes", False: "no", None: ""}


def table(results: Mapping[str, Result]) -> str:
    """A row a figure; a piece that did not come to its end is a row that says why."""
    lines = [f"| {_HEAD} |", "|" + "---|" * (_HEAD.count("|") + 1)]
    for name, result in results.items():
        about = [f"{result['seconds']:.0f}", f"{result['peak']:.1f}", result.get("commit", "")]
        rows = [
            [figure["name"], figure["value"], figure["must_reach"], _SAID[figure["reached"]]]
            for figure in result["figures"]
        ]
        if result["outcome"] != DONE:
            rows.append(["", f"{result['outcome']}: {result['why']}", "", ""])
        for k, row in enumerate(rows):
            cells = [name if k == 0 else "", *row, *(about if k == 0 else [""] * len(about))]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
