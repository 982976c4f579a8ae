"""What every result is kept with: the machine, the versions and the commit."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

RESULTS = Path(__file__).parent / "results"
UNFINISHED = Path("runs") / "benchmarks"  # of the working directory: pieces of runs that may go on
Piece = TypeVar("Piece")
_PACKAGES = ("mercato", "torch", "numpy", "pandas", "gymnasium", "stable-baselines3")


def circumstances() -> dict[str, Any]:
    """Machine, versions, commit and date."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "system": platform.system(),
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in _PACKAGES},
    }


def write_result(name: str, result: dict[str, Any]) -> Path:
    """Write ``benchmarks/results/NAME.json`` with the circumstances."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({**circumstances(), **result}, indent=1) + "\n")
    return path


def with_earlier(
    name: str, rows: Sequence[Mapping[str, Any]], by: Sequence[str], under: str = "rows"
) -> list[dict[str, Any]]:
    """Rows of a table that is measured in parts, after those of ``benchmarks/results/NAME.json``.

    A row that is measured again takes the place of the earlier one. Each says the commit of its measurement.

    Args:
        by: fields that tell one row from another.
        under: the rows' name in the result.
    """
    path = RESULTS / f"{name}.json"
    earlier = json.loads(path.read_text()) if path.is_file() else {}
    kept = [{"commit": earlier["commit"], **row} for row in earlier.get(under, [])]
    new = [{"commit": _commit(), **row} for row in rows]
    found = {tuple(row[field] for field in by): row for row in [*kept, *new]}
    return list(found.values())


def resumed(
    name: str,
    pieces: Iterable[Piece],
    measure: Callable[[list[Piece]], Iterator[Any]],
    folder: Path = UNFINISHED,
) -> Iterator[tuple[Piece, Any]]:
    """Pieces and their results, in order; those that this commit has measured before are not measured again.

    Results are written one by one, as they come. Those of a changed tree are not kept: nobody knows which.

    Args:
        measure: gives the results of some pieces in order, each as soon as it is there.
    """
    pieces, commit = list(pieces), _commit()
    path = folder / f"{name}-{commit}.jsonl"
    keeps = commit.isalnum() and commit != "unknown"
    lines = path.read_text().splitlines() if keeps and path.is_file() else []
    done = {json.dumps(piece): result for piece, result in map(json.loads, lines)}
    rest = measure([piece for piece in pieces if json.dumps(piece) not in done])
    for piece in pieces:
        if (key := json.dumps(piece)) in done:
            yield piece, done[key]
            continue
        result = next(rest)
        if keeps:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("a") as out:
                out.write(json.dumps([piece, result]) + "\n")
        yield piece, result


def _commit() -> str:
    """The commit, with a plus where the tree has changed since."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
        ).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
