"""The pieces' figures as one Markdown table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .piece import DONE
from .store import Result

_HEAD = ("piece", "figure", "measured", "must reach", "reached")
ABOUT: Mapping[str, Callable[[Result], str]] = {
    "seconds": lambda result: f"{result['seconds']:.0f}",
    "GB": lambda result: f"{result['peak']:.1f}",
    "commit": lambda result: str(result.get("commit", "")),
}
_SAID = {True: "yes", False: "no", None: ""}


def table(results: Mapping[str, Result], columns: Mapping[str, Callable[[Result], str]] = ABOUT) -> str:
    """A row a figure, with ``columns`` of its piece; a piece that did not come to its end says why."""
    head = (*_HEAD, *columns)
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, result in results.items():
        about = [told(result) for told in columns.values()]
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
