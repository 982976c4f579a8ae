"""What the learned market's customers know at the start of a period."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ..features import Past
from ..response import Way
from ..tensors import Cut

_AXES = {"log_base": "BSIM", "log_r": "BSIM", "carryover": "BSIC", "own": "BSI"}
_PAST_AXES = {**dict.fromkeys(("lags", "total", "weight"), "BSIC"), "seen": "BSI"}


@dataclass(frozen=True)
class LearnedState:
    """What the model knows at the start of a period; ``advance`` may update the memory's tensors in place.

    Where an item is not listed nothing is expected, sold or seen of it, whatever the other fields say.
    """

    memory: Any  # of the network: nested dataclasses and tuples of tensors (B, …)
    log_base: Tensor  # (B, S, I, M) log mean demand before price and promotion, by ensemble member
    log_r: Tensor  # (B, S, I, M) log dispersion
    past: Past  # of price-adjusted demand, (B, S, I)
    carryover: Tensor  # (B, S, I, 2) of past own price effects
    date: Tensor  # (B,) int64 calendar index of the coming period
    member: Tensor  # (B,) int64 the ensemble member that the episode's customers follow
    own: Tensor  # (B, S, I) their own elasticities
    begin: Tensor  # (B,) int64 calendar index at which the episode began
    way: Way  # how they divide themselves over the items

    def select(self, cut: Cut) -> LearnedState:
        """What it knows of some locations and items; no step is taken from here, for want of the memory."""
        way = cut.record(self.way, {"scale": "BSI"})
        return replace(cut.record(self, _AXES), past=cut.record(self.past, _PAST_AXES), way=way, memory=None)


def log_mean_of_members(log_base: Tensor) -> Tensor:
    """Log of the members' mean demand, (…, M) → (…)."""
    return log_base.logsumexp(-1) - math.log(log_base.shape[-1])
