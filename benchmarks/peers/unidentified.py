"""The learned market without identification: elasticities of a regression on raw prices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from mercato.forecasters.features.history import History, build_history
from mercato.forecasters.fit import learn_around
from mercato.forecasters.identification.nuisance import impute_demand
from mercato.forecasters.model import DemandModel
from mercato.forecasters.panel import SalesPanel
from mercato.forecasters.response.price_response import WEAKEST

from .dml import least_squares
from .features import log_price, log_sales, mean_known

# what a naive response has not
_BEYOND = ("own_error", "curve", "chain", "joint", "sway", "carryover")


def naive_model(model: DemandModel, panel: SalesPanel, seed: int) -> DemandModel:
    """The same model around elasticities that nothing identifies; its trunk is trained anew.

    Where stock ran out it remembers an estimate of demand as the model does, so that the price response is
    all that differs.
    """
    history, found = build_history(panel), model.response
    own, cross, promo = naive_response(history)
    zero = {name: torch.zeros_like(getattr(found, name)) for name in _BEYOND}
    everywhere = own.expand_as(found.own)
    choice = replace(found.choice.taken(0).apart(), pairs=(cross / -own.unsqueeze(1)).unsqueeze(0))
    response = replace(
        found, own=everywhere, own_lo=everywhere, own_hi=everywhere, choice=choice, promo=promo, **zero
    )
    history = impute_demand(history, found)
    return learn_around(panel, history, response, model.elasticities, model.overfit, model.settings, seed)


def naive_response(history: History) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Own (I,), cross (I, I) and promotion (I, K) effects by item: least squares within series, raw columns.

    The same terms as the learned market's, so that identification is all that differs; the regression on the
    own price alone forecasts far worse, for want of the promotions.
    """
    sales, price, promo = log_sales(history), log_price(history), history.promo.double().numpy()
    goods, promos = price.shape[2], promo.shape[-1]
    own, cross, lift = np.zeros(goods), np.zeros((goods, goods)), np.zeros((goods, promos))
    for item in range(goods):
        rivals = [j for j in range(goods) if j != item]
        columns = np.concatenate(
            [sales[:, :, [item]], price[:, :, [item]], promo[:, :, item], price[:, :, rivals]], axis=-1
        )
        known = np.isfinite(sales[:, :, item])
        columns = np.where(known[..., None], columns, np.nan)
        rows = (columns - mean_known(columns))[known]
        slopes, _ = least_squares(rows[:, 1:], rows[:, 0], np.nonzero(known)[0])
        own[item], lift[item], cross[item, rivals] = slopes[0], slopes[1 : 1 + promos], slopes[1 + promos :]
    own, lift = np.minimum(own, WEAKEST), np.maximum(lift, 0)
    return tuple(torch.from_numpy(x).float() for x in (own, cross, lift))  # type: ignore[return-value]
