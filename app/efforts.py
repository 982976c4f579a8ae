"""How much work a fit does, in three sizes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..forecasters.evaluation import Forecaster
from ..forecasters.market_model import MarketModel, Recipe, shipped
from ..forecasters.model import FitSettings
from ..forecasters.network import TrainingSettings, TrunkSettings

SCRATCH = "scratch"


@dataclass(frozen=True)
class Work:
    """What is trained, and what the levels of the market are taken from."""

    settings: FitSettings
    recipe: Recipe

    def forecaster(self, start: str | Path | None) -> Forecaster | None:
        """Which starts from a file of ``mercato pretrain``, or from the shipped model; none from scratch.

        Raises:
            InputError: the file is no market model.
        """
        if start == SCRATCH:
            return None
        return Forecaster(shipped() if start is None else MarketModel.load(Path(start)), self.recipe)


USUAL = "usual"
WORK = {
    "zero-shot": Work(
        FitSettings(trunk=TrunkSettings(kind="none")), Recipe(adaptation=None, linear=False, trees=False)
    ),
    USUAL: Work(FitSettings(), Recipe(trees=False)),
    "accurate": Work(FitSettings(training=TrainingSettings(steps=360)), Recipe()),
}
