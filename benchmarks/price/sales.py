"""What the learned market expects of sales: calibration out of sample, bias of stock-outs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mercato.envs.structural import Truth
from mercato.forecasters.evaluation.calibration import Calibration, calibration
from mercato.forecasters.features.history import History
from mercato.forecasters.fit import fit_demand
from mercato.forecasters.panel import SalesPanel
from mercato.forecasters.simulation.learned import LearnedDemand
from mercato.forecasters.statistics.distributions import nb_mixture_cdf
from mercato.forecasters.tensors.noise import NoiseKey

from ..orange.censoring import expected_demand
from .elasticities import Row
from .market import Studied
from .sustained import as_last_week_left_it

_LAST = 26  # weeks of a true market's panel held out
_ROLLING = (2, 16)  # windows of real data, and weeks of each
_DRAWS = 64  # of a week's shocks


@dataclass(frozen=True)
class Oracle:
    """A forecaster told the market's laws and last week's shocks, not the week's own.

    None does better, but where the retailer sees the week's shocks (``hidden-shock``): there the logged price
    tells of them, and this one does not read it so.
    """

    truth: Truth
    history: History

    def one_step_cdf(self, count: Tensor, begin: int, exposure: Tensor) -> tuple[Tensor, Tensor]:
        rows = enumerate(zip(count, exposure, strict=True), start=begin)
        below, at = zip(*(self._week(units, week, share) for week, (units, share) in rows), strict=True)
        return torch.stack(below), torch.stack(at)

    def _week(self, units: Tensor, week: int, share: Tensor) -> tuple[Tensor, Tensor]:
        demand, logged = self.truth.demand, self.truth.history
        episode = torch.arange(_DRAWS)
        key = NoiseKey(0, torch.zeros_like(episode), episode, torch.full_like(episode, week))
        price, promo = logged.price[week].expand(_DRAWS, -1, -1), logged.promo[week]
        log_mean = demand.log_mean(as_last_week_left_it(self.truth, week, key), price, promo)
        log_mean = log_mean.permute(1, 2, 0) + share.log().unsqueeze(-1)
        log_r = (-demand.dispersion().log()).unsqueeze(-1).expand_as(log_mean)
        return nb_mixture_cdf(units, log_mean, log_r, self.history.grain)


def held_out(market: Studied) -> Row:
    """Calibration one step ahead on the last half year, by a fit on what precedes it, and by the oracle."""
    begin, end = market.panel.periods - _LAST, market.panel.periods
    oracle = calibration(Oracle(market.truth, market.learned.history), begin, end)
    return {**_row(_unseen(market.panel, begin, end)), "pit_distance_oracle": oracle.distance}


def rolling(panel: SalesPanel) -> list[Row]:
    """The same window by window, each by a fit on all that precedes it."""
    windows, weeks = _ROLLING
    ends = [panel.periods - weeks * k for k in reversed(range(windows))]
    return [{"from_week": end - weeks, **_row(_unseen(panel, end - weeks, end))} for end in ends]


def stock_out_bias(market: Studied) -> Row:
    """Σ expected over Σ true demand − 1, all rows that something precedes; rows sold out are among them.

    Expected: by the model, one step ahead at the prices charged; and the table's demand, stock-outs imputed.
    """
    listed = market.truth.listed[1:]
    true, out = market.truth.history.demand[1:][listed], market.truth.history.censored[1:][listed] > 0
    expected, imputed = expected_demand(market.learned)[1:][listed], market.learned.history.demand[1:][listed]
    return {
        "stock_out_bias": float(expected.sum() / true.sum()) - 1,
        "stock_out_bias_imputed": float(imputed.sum() / true.sum()) - 1,
        "bias_if_ignored": float(market.learned.history.units[1:][listed].sum() / true.sum()) - 1,
        "stocked_out": float(out.float().mean()),
    }


def _unseen(panel: SalesPanel, begin: int, end: int) -> Calibration:
    before, until = panel.window(0, begin), panel.window(0, end)
    demand = LearnedDemand.after(fit_demand(before), before)
    return calibration(demand.condition(until), begin, end)


def _row(found: Calibration) -> Row:
    shares = {f"covered_{level:.0%}".rstrip("%"): share for level, share in found.coverage}
    return {"pit_distance": found.distance, "pit_chance": found.chance, **shares}
