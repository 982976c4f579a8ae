"""Settings of a market's own network, found by trials on the periods that its fit holds back.

The default is the first trial, and stays unless another is clearly better: period by period, beyond what the
best of so many trials would be by chance. Trials are drawn by a tree-structured Parzen estimator (Bergstra et
al. 2011, NeurIPS 24), each with a seed of its own, so that an interrupted search goes on to the same end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import InputError, whole
from .learning import Ground
from .model import FitSettings
from .progress import SILENT, Progress
from .seal import of_values
from .statistics import student

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

_CHANCE = 0.025  # that the default is beaten by luck, all trials together
_LOSSES = "loss by period"  # of a trial, beside its mean


@dataclass(frozen=True)
class Tuning:
    """How many settings are tried, and where what was tried is kept."""

    trials: int  # the default is one of them
    storage: Path | None = None  # SQLite file of Optuna; None keeps nothing

    def __post_init__(self) -> None:
        whole("tune", self.trials, 1)
        try:
            import optuna  # noqa: F401 (asked before a long fit begins)
        except ImportError:
            raise InputError("tune: expected Optuna, found none; pip install 'mercato[tune]'") from None

    def choose(
        self, ground: Ground, usual: FitSettings, seed: int = 0, progress: Progress = SILENT
    ) -> FitSettings:
        """The settings to train with: ``usual``, or the best ones tried where they are clearly better.

        What earlier searches of the same fit have tried counts.
        """
        space = _space(usual)
        name = of_values(ground.tokens, usual, seed)
        with progress.stage("try settings of the demand network", self.trials) as stage:
            study = _study(self.storage, name)
            done = _done(study)
            stage.advance(min(len(done), self.trials))
            while len(done) < self.trials:
                _try(study, space, ground, usual, seed, len(done))
                done = _done(study)
                stage.advance()
                stage.curve(len(done) - 1, {"validation loss": done[-1].value or 0.0})
            found, said = _verdict(done, usual)
            stage.note(said)
        return found


def _space(usual: FitSettings) -> dict[str, BaseDistribution]:
    """What a trial may take, the usual settings among it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    def one_of(*values: int, usual: int) -> BaseDistribution:
        return CategoricalDistribution(sorted({*values, usual}))

    def between(low: float, high: float, usual: float) -> BaseDistribution:
        return FloatDistribution(min(low, usual), max(high, usual), log=True)

    trunk, training = usual.trunk, usual.training
    widths = [width for width in (16, 32, 64) if width % (2 * trunk.heads) == 0]
    return {
        "width": one_of(*widths, usual=trunk.width),
        "blocks": one_of(1, 2, 3, usual=trunk.blocks),
        "learning_rate": between(1e-4, 5e-3, training.learning_rate),
        "weight_decay": between(1e-3, 1.0, training.weight_decay),
        "steps": one_of(45, 90, 180, usual=training.steps),
    }


def _values(settings: FitSettings) -> dict[str, Any]:
    trunk, training = settings.trunk, settings.training
    return {
        "width": trunk.width,
        "blocks": trunk.blocks,
        "learning_rate": training.learning_rate,
        "weight_decay": training.weight_decay,
        "steps": training.steps,
    }


def _with(usual: FitSettings, values: Mapping[str, Any]) -> FitSettings:
    """``usual``, but for what a trial took."""
    trunk = {name: values[name] for name in ("width", "blocks")}
    training = {name: value for name, value in values.items() if name not in trunk}
    return replace(usual, trunk=replace(usual.trunk, **trunk), training=replace(usual.training, **training))


def _study(storage: Path | None, name: str) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    kept = None if storage is None else f"sqlite:///{storage.resolve()}"
    try:
        return optuna.create_study(storage=kept, study_name=name, load_if_exists=True)
    except Exception as error:
        said = str(error).strip().splitlines()[0]
        raise InputError(f"{storage}: expected trials of `mercato fit --tune`, found none ({said})") from None


def _done(study: Study) -> list[FrozenTrial]:
    """Trials that ended; one that was interrupted is none."""
    return [trial for trial in study.trials if trial.state.name == "COMPLETE"]


def _try(
    study: Study,
    space: dict[str, BaseDistribution],
    ground: Ground,
    usual: FitSettings,
    seed: int,
    number: int,
) -> None:
    """Train with the settings of one more trial, the usual ones first, and write its losses down."""
    from optuna.samplers import TPESampler
    from optuna.trial import create_trial

    values = _values(usual)
    if number > 0:
        chance = np.random.SeedSequence([seed, number]).generate_state(1)
        study.sampler = TPESampler(seed=int(chance[0]))
        values = study.ask(space).params
    settings = _with(usual, values)
    network, _ = ground.train(settings, seed, SILENT)
    losses = ground.losses(network, settings, seed).tolist()
    mean = float(np.mean(losses))
    told = mean if np.isfinite(mean) else np.inf
    study.add_trial(
        create_trial(value=told, params=values, distributions=space, user_attrs={_LOSSES: losses})
    )


def _verdict(done: list[FrozenTrial], usual: FitSettings) -> tuple[FitSettings, str]:
    """The settings to take, and a line that says why."""
    default, best = done[0], min(done, key=lambda trial: trial.value or 0.0)
    start = f"{len(done)} trials; validation loss {default.value:.4f} with the default settings"
    if best is default:
        return usual, f"{start}, lower with none"
    took = ", ".join(f"{name} {value:.3g}" for name, value in best.params.items())
    gain = np.subtract(default.user_attrs[_LOSSES], best.user_attrs[_LOSSES])
    error = gain.std(ddof=1) / len(gain) ** 0.5 if len(gain) > 1 else np.inf
    limit = student(NormalDist().inv_cdf(1 - _CHANCE / (len(done) - 1)), len(gain))
    said = f"{start}, {best.value:.4f} with {took}"
    if gain.mean() > limit * error:
        return _with(usual, best.params), f"{said}, which are taken"
    return usual, f"{said}: within chance, the default stays"
