"""Several forecasters as one: a weighted mean of their deciles, as wide as outcomes were.

Averages of quantiles keep their shape, where averages of distributions grow wide (Lichtendahl et al. 2013,
doi:10.1287/mnsc.1120.1667). Weights are found on windows that were kept back, are never
negative, and are drawn to equal ones, which are hard to beat where windows are few (the "forecast combination
puzzle": Claeskens et al. 2016, doi:10.1016/j.ijforecast.2015.12.005): members that differ by little count
about the same, one that is far off counts for nothing. The width is drawn halfway to what the members say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from .network import LEVELS

_STEPS, _RATE = 300, 0.05
_EQUAL = 0.05  # pull to equal weights: a squared distance of 1 from them is worth that share of the loss
_APART = 2.5  # times the members' median, beyond which one is not followed: it may have been right till now
_SPREADS = np.linspace(0.8, 1.8, 21)  # times the distance from the median


@dataclass(frozen=True)
class Stack:
    """Weights of members by name, which sum to 1, and a factor on the distance from the median."""

    weights: dict[str, float]
    spread: float

    @staticmethod
    def equal(members: Sequence[str]) -> Stack:
        """All alike, as wide as they say."""
        return Stack(dict.fromkeys(members, 1 / len(members)), 1.0)

    @staticmethod
    def learned(members: Mapping[str, np.ndarray], actual: np.ndarray) -> Stack:
        """From the deciles (N, 9) of each member and the N units that came."""
        told = torch.from_numpy(np.stack(list(members.values())))  # (M, N, 9)
        came, levels = torch.from_numpy(actual).unsqueeze(-1), LEVELS.double()
        scores = torch.zeros(len(told), dtype=torch.float64, requires_grad=True)
        optimiser, first = torch.optim.Adam([scores], lr=_RATE), None
        for _ in range(_STEPS if len(told) > 1 else 0):
            miss = came - torch.einsum("m,mnq->nq", scores.softmax(0), told)
            lost = torch.maximum(levels * miss, (levels - 1) * miss).sum()
            first = lost.detach() if first is None else first
            away = (scores.softmax(0) - 1 / len(told)).square().sum()
            loss = lost / first.clamp(min=1e-9) + _EQUAL * away
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        weights = dict(zip(members, scores.detach().softmax(0).tolist(), strict=True))
        losses = [quantile_loss(Stack(weights, spread).deciles(members), actual) for spread in _SPREADS]
        return Stack(weights, float(np.sqrt(_SPREADS[int(np.argmin(losses))])))

    def deciles(self, members: Mapping[str, np.ndarray]) -> np.ndarray:
        """(…, 9) of the members' (…, 9)."""
        told = np.stack([members[name] for name in self.weights])  # (M, …, 9)
        usual = np.median(told, axis=0)
        told = np.clip(told, usual / _APART, usual * _APART + 1)
        mean = np.tensordot(np.array(list(self.weights.values())), told, 1)
        middle = mean[..., 4:5]
        return np.maximum(middle + self.spread * (mean - middle), 0.0)


def quantile_loss(deciles: np.ndarray, actual: np.ndarray) -> float:
    """Weighted quantile loss of deciles (N, 9) of N units: mean over deciles of twice the pinball loss, in
    units sold."""
    miss, levels = actual[:, None] - deciles, LEVELS.double().numpy()
    lost = 2 * np.maximum(levels * miss, (levels - 1) * miss).sum(0).mean()
    return float(lost / max(float(actual.sum()), 1e-9))
