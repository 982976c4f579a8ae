"""Champion and challenger: which of two models of a market forecast its last periods better."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from ..model import DemandModel
from ..panel.sales_panel import SalesPanel
from ..simulation import LearnedDemand
from ..statistics import row_log_likelihood

JUDGED = 8  # last periods that two models are compared on, at most
_SHARE = 5  # of a panel, that they are at most one part of


@dataclass(frozen=True)
class Trial:
    """Negative log likelihood a row of one-step forecasts of the last periods, lower is better."""

    periods: int
    champion: float
    challenger: float
    error: float  # standard error of the difference, over periods

    @property
    def passed(self) -> bool:
        """Whether the challenger does no worse, beyond one standard error."""
        return self.challenger - self.champion <= self.error

    def __str__(self) -> str:
        return (
            f"one-step forecasts of the last {self.periods} periods: loss {self.challenger:.4f} against"
            f" {self.champion:.4f} before,"
            f" difference {self.challenger - self.champion:+.4f} ± {self.error:.4f}"
        )


def judged(panel: SalesPanel) -> int:
    """How many of a panel's last periods two models are compared on."""
    return max(1, min(JUDGED, panel.periods // _SHARE))


def compared(champion: LearnedDemand, challenger: DemandModel, panel: SalesPanel, last: int) -> Trial:
    """Both on the ``last`` periods of ``panel``, which the champion is conditioned on."""
    begin = panel.periods - last
    one, other = (_losses(demand, begin) for demand in (champion, LearnedDemand.after(challenger, panel)))
    rows = champion.history.known[begin:].sum((1, 2)).double()
    some = rows > 0
    difference, weight = (other - one)[some], rows[some] / rows.sum().clamp(min=1)
    mean = (weight * difference).sum()
    error = (
        float((weight.square() * (difference - mean).square()).sum().sqrt()) if len(difference) > 1 else 0.0
    )
    before, now = (float((weight * part[some]).sum()) for part in (one, other))
    return Trial(last, before, now, error)


@torch.no_grad()
def _losses(demand: LearnedDemand, begin: int) -> Tensor:
    """(T',) mean negative log likelihood of the rows of each period, by the mixture of the members."""
    history = demand.history
    seen, grain = history.stock_outs.since(begin), history.grain
    log_mean, log_r = demand.forecast(begin, history.periods)
    log_mean = log_mean + (seen.exposure.log() - grain.log()).unsqueeze(-1)
    counts, bound = (
        (x.unsqueeze(-1).expand_as(log_mean)) for x in (history.units[begin:] / grain, seen.bound)
    )
    told = row_log_likelihood(counts, bound, log_mean, log_r).logsumexp(-1) - log(log_mean.shape[-1])
    known = history.known[begin:]
    return -(told * known).sum((1, 2)).double() / known.sum((1, 2)).clamp(min=1)
