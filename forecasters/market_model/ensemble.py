"""Forecasters of several kinds, all direct, and how much each counts: market models and regressions.

How much is found on the last periods of the history, by members that have not seen those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..progress import SILENT, Progress
from .adaptation import AdaptationSettings, adapted
from .direct import DirectModel, Linear, Regression, Trees, learn_direct
from .features import Features, build_features
from .lesson import learning_origins
from .model import MarketModel, in_units, log_deciles
from .network import MarketNetwork
from .observed import Observed
from .stack import Stack, quantile_loss

GENERAL, ADAPTED = "market model", "adapted market model"
INFORMED = "market model, told the effect of prices"
LINEAR, TREES = "direct linear regression", "direct gradient-boosted trees"
_HELD_BACK, _LEAST = 0.2, 8  # share of the history, at most; periods before it, at least


@dataclass(frozen=True)
class Recipe:
    """What an ensemble is made of beside a market model as it is."""

    adaptation: AdaptationSettings | None = AdaptationSettings()
    linear: bool = True
    trees: bool = True  # where LightGBM is installed

    @property
    def regressions(self) -> dict[str, Regression]:
        """By name."""
        kinds: dict[str, Regression] = {LINEAR: Linear()} if self.linear else {}
        return kinds | ({TREES: Trees()} if self.trees and Trees.at_hand() else {})


@dataclass(frozen=True)
class Trial:
    """A forecast of periods that were kept back."""

    origin: int  # first of them
    horizon: int
    loss: float  # weighted quantile loss, of the units that were sold


@dataclass(frozen=True)
class Ensemble:
    """Fitted members and their weights."""

    fitted: int  # periods of the panel that it has learned from
    networks: Mapping[str, MarketNetwork]
    regressions: Mapping[str, DirectModel]
    stack: Stack
    tried: Trial | None = None  # how it forecast the last periods before it saw them

    def members(
        self, panel: Observed, features: Features, origin: int, horizon: int
    ) -> dict[str, np.ndarray]:
        """(H, S, I, 9) deciles of units by member, ``horizon`` periods from ``origin`` on."""
        told = {n: log_deciles(net, panel, features, origin, horizon) for n, net in self.networks.items()}
        if panel.effect is not None:  # identified well or badly: the market model is asked without it, too
            plain = replace(panel, effect=None)
            alone = build_features(plain, self.fitted, [origin])
            told[INFORMED] = told[GENERAL]
            told[GENERAL] = log_deciles(self.networks[GENERAL], plain, alone, origin, horizon)
        told |= {n: m.log_deciles(features, origin, horizon) for n, m in self.regressions.items()}
        return {name: in_units(logs, panel) for name, logs in told.items()}

    def deciles(self, panel: Observed, features: Features, origin: int, horizon: int) -> np.ndarray:
        """(H, S, I, 9) of all together."""
        return self.stack.deciles(self.members(panel, features, origin, horizon))


def learn_members(
    model: MarketModel,
    panel: Observed,
    fitted: int,
    horizon: int,
    recipe: Recipe = Recipe(),
    seed: int = 0,
    progress: Progress = SILENT,
) -> Ensemble:
    """Members that have learned from the first ``fitted`` periods of a panel; all count alike.

    Args:
        model: a market model, which stays as it is.
        panel: T periods.
        fitted: those to learn from.
        horizon: periods ahead that will be asked for, at most.
        recipe: what beside the model.
        seed: of the rows drawn.
        progress: is informed.
    """
    networks, regressions = {GENERAL: model.network}, {}
    if recipe.adaptation is not None:
        networks[ADAPTED] = adapted(model, panel, fitted, horizon, seed, recipe.adaptation, progress)
    kinds = recipe.regressions
    if kinds:
        origins = learning_origins(fitted, panel.units[0].size, seed)
        with progress.stage("fit direct regressions", len(kinds)) as stage:
            features = build_features(panel, fitted, origins)
            for name, kind in kinds.items():
                regressions[name] = learn_direct(panel, features, origins, fitted, horizon, kind, seed)
                stage.advance()
    informed = [INFORMED] if panel.effect is not None else []
    return Ensemble(fitted, networks, regressions, Stack.equal([*networks, *informed, *regressions]))


def learn_ensemble(
    model: MarketModel,
    panel: Observed,
    fitted: int,
    horizon: int,
    recipe: Recipe = Recipe(),
    seed: int = 0,
    progress: Progress = SILENT,
) -> Ensemble:
    """The same members, weighted by how they forecast the last of those periods before they saw them.

    All count alike where the history is too short for that. Arguments as ``learn_members`` has them.
    """
    held = min(horizon, int(_HELD_BACK * fitted))
    origin = fitted - held
    rows = panel.scored[origin:fitted]
    whole = learn_members(model, panel, fitted, horizon, recipe, seed, progress)
    if held < 1 or origin < _LEAST or not rows.any():
        return whole
    early = learn_members(model, panel, origin, horizon, recipe, seed, progress)
    told = early.members(panel, build_features(panel, origin, [origin]), origin, held)
    came = panel.units[origin:fitted][rows]
    stack = Stack.learned({name: deciles[rows] for name, deciles in told.items()}, came)
    loss = quantile_loss(stack.deciles(told)[rows], came)
    return replace(whole, stack=stack, tried=Trial(origin, held, loss))
