"""The fitted demand model: what is learned of a market, and the settings it was learned with."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .anchor import Anchor
from .experiments import Findings
from .identification import Elasticities
from .network import Base, DemandNetwork, TrainingSettings, TrunkSettings
from .response import PriceResponse
from .statistics import CommonShocks
from .tensors import Cut


@dataclass(frozen=True)
class FitSettings:
    """Settings of a fit."""

    trunk: TrunkSettings = TrunkSettings()
    training: TrainingSettings = TrainingSettings()
    members: int = 4  # of the ensemble of heads, each trained on its own resampling of the weeks
    validation: int = 10  # last periods, held out for early stopping; at most a fifth of the panel


@dataclass(frozen=True)
class DemandModel:
    """A fitted model. Serialised by ``forecasters.store``."""

    locations: tuple[str, ...]
    items: tuple[str, ...]
    network: DemandNetwork
    response: PriceResponse
    level: Tensor  # (S, I) log level of sales
    reach: Tensor  # (2, I) least and most that log demand above its level ever was, freed of its prices
    base: Base
    informed: Base  # the same, told beside the calendar what the chain's logged prices say of a week
    common_shocks: CommonShocks
    settings: FitSettings
    elasticities: Elasticities
    overfit: float  # the truth-free over-training check of the nuisances
    validation_loss: float  # negative log likelihood a row on the held-out last periods
    anchor: Anchor | None = None  # to a forecast of the table that it was fitted on
    fitted: int | None = None  # first periods of its table, whose scales it was fitted in; all where None
    stepped: Tensor | None = None  # (T, S, I) as in its ``History``
    test: Findings | None = None  # a price test that own elasticities were combined with

    def select(self, cut: Cut) -> DemandModel:
        """The model of a sub-market. What its series learned of those left out they keep."""
        locations, items = cut.names(self.locations, self.items)
        return replace(
            self,
            locations=locations,
            items=items,
            network=self.network.select(cut),
            response=self.response.select(cut),
            level=cut.tensor(self.level, "SI"),
            reach=cut.tensor(self.reach, "_I"),
            base=self.base.select(cut),
            informed=self.informed.select(cut),
            common_shocks=self.common_shocks.select(cut),
            elasticities=self.elasticities.select(cut),
            stepped=None if self.stepped is None else cut.tensor(self.stepped, "TSI"),
        )

    def to(self, device: torch.device | str) -> DemandModel:
        """A copy on another device; the elasticities, which only people read, stay where they are."""
        return replace(
            self,
            network=copy.deepcopy(self.network).to(device),
            response=self.response.to(device),
            level=self.level.to(device),
            reach=self.reach.to(device),
            base=self.base.to(device),
            informed=self.informed.to(device),
            common_shocks=self.common_shocks.to(device),
            anchor=None if self.anchor is None else self.anchor.to(device),
            stepped=None if self.stepped is None else self.stepped.to(device),
        )
