"""What the page is about: the folder of a run or of a market, and the files that the page keeps in it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...forecasters.errors import InputError
from ..output import kept_result, write_text
from ..report.coming import USUAL

if TYPE_CHECKING:
    from ..report.contents import Contents

DEMO = Path("runs/demo")
_FITTED, _INDEPENDENT = "market.json", "independent.json"
_MOST_TEXT = 2**16  # bytes of a scenario from the page
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}")


@dataclass(frozen=True)
class Home:
    """A market, and the run that made it where there is one."""

    market: Path
    run: Path | None = None

    @property
    def name(self) -> str:
        return (self.run or self.market).name

    @property
    def pages(self) -> Path:
        """Where the page keeps what it was asked for."""
        return (self.run or self.market) / "page"

    @property
    def scenarios(self) -> Path:
        return self.pages / "scenarios"

    def policies(self) -> dict[str, Path]:
        """The learned policies of the run, by name."""
        folder = self.market if self.run is None else self.run / "policies"
        return {path.stem: path for path in sorted(folder.glob("*.safetensors")) if path.stem != "model"}

    def card(self) -> dict[str, Any] | None:
        """The card that the run or the page has worked out; None where there is none."""
        files = ([] if self.run is None else [self.run / "card.json"]) + [self.kept("card")]
        return next((found for file in files if (found := kept_result(file)) is not None), None)

    def forecast(self, periods: int = USUAL) -> Path:
        """The file of the table's forecast: the run's, else the page's, which may not be there yet."""
        own = None if self.run is None else self.run / "forecast.json"
        if own is not None and periods == USUAL and own.is_file():
            return own
        return self.kept(f"coming-{periods}")

    def report(self) -> Contents | None:
        """What the run's report says; None where there is none."""
        if self.run is None or not (self.run / "report.json").is_file():
            return None
        from ..report.contents import read_contents

        return read_contents(self.run / "report.json")

    def benchmark(self) -> dict[str, Any] | None:
        """The comparison of policies that the run or the page has worked out; None where there is none."""
        files = ([] if self.run is None else [self.run / "benchmark.json"]) + [self.kept("benchmark")]
        return next((found for file in files if (found := kept_result(file)) is not None), None)

    def rules(self) -> list[str]:
        """The baselines that were compared; in a comparison with learned policies these are never an a."""
        found = self.benchmark()
        if found is None:
            return []
        learned = {pair["a"] for pair in found["pairs"]} if self.policies() else set()
        return [row["policy"] for row in found["policies"] if row["policy"] not in learned]

    def kept(self, what: str) -> Path:
        """The page's file of a result of this very market."""
        return self.pages / f"{what}-{self._seal()}.json"

    def _seal(self) -> str:
        about = self.market / (_FITTED if (self.market / _FITTED).is_file() else _INDEPENDENT)
        return hashlib.sha256(about.read_bytes()).hexdigest()[:12]

    def saved(self) -> dict[str, str]:
        """The scenarios that were saved here, by name."""
        return {path.stem: path.read_text("utf-8") for path in sorted(self.scenarios.glob("*.yaml"))}

    def save(self, name: str, text: str) -> Path:
        """Keep a scenario of the page.

        Raises:
            InputError: a name that is no plain file name, or more text than a scenario has.
        """
        if not _NAME.fullmatch(name):
            raise InputError(
                f"scenario: expected a name of letters, digits, spaces, dots and dashes, found {name!r:.80}"
            )
        if len(text.encode("utf-8", "replace")) > _MOST_TEXT:
            raise InputError(
                f"scenario: expected at most {_MOST_TEXT // 1024} KiB of YAML, found"
                f" {len(text.encode('utf-8', 'replace')):,} bytes"
            )
        path = self._within(self.scenarios / f"{name}.yaml")
        write_text(path, text)
        return path

    def answer(self, scenario: Path) -> Path:
        """Where the answer to a scenario that was saved is kept, as long as the market is this very one.

        Raises:
            InputError: that is no place within the folder.
        """
        return self._within(self._answers / f"{scenario.stem}.json")

    def answers(self) -> list[dict[str, Any]]:
        """What scenarios that were run here change, by name of their files, as ``mercato whatif`` tells it.

        Raises:
            InputError: a file there holds something else.
        """
        found = (kept_result(path) or {} for path in sorted(self._answers.glob("*.json")))
        return [told for kept in found for told in kept.get("answers", ())]

    @property
    def _answers(self) -> Path:
        return self.pages / f"answers-{self._seal()}"

    def _within(self, path: Path) -> Path:
        if not path.resolve().is_relative_to((self.run or self.market).resolve()):
            raise InputError(f"scenario: expected a file within {self.name}, found a way out of it")
        return path


def home_of(folder: Path | None) -> Home | None:
    """The run or the market in a folder; without one that of the demo, None where there is none.

    Raises:
        InputError: the folder holds neither.
    """
    return _home(DEMO) if folder is None else home_in(folder)


def home_in(folder: Path) -> Home:
    """The run or the market in a folder.

    Raises:
        InputError: the folder holds neither.
    """
    if (found := _home(folder)) is None:
        raise InputError(f"{folder}: expected the folder of a run or of a market, found neither")
    return found


def _home(folder: Path) -> Home | None:
    if _is_market(folder):
        return Home(folder)
    return Home(folder / "market", folder) if _is_market(folder / "market") else None


def _is_market(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (_FITTED, _INDEPENDENT))
