"""What a policy's network reads: features by name, of the observation and beyond it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from ..envs.engine.observation import FEATURES, observe
from ..envs.engine.view import View
from .baselines.orders import critical_ratio

_LONGEST = 52  # periods of lead time
_DUE = {f"due_in_{periods}_cover": periods for periods in range(2, _LONGEST)}


def slot_features(slots: int) -> tuple[str, ...]:
    """Names of so many slots of the pipeline beyond the next arrival."""
    return tuple(_DUE)[: max(slots, 0)]


def unknown(features: Sequence[str]) -> list[str]:
    """Which of these features cannot be read, and which of the observation are missing where all are new."""
    return sorted(set(features) - set(FEATURES) - set(_MORE))


def see(view: View, features: tuple[str, ...]) -> Tensor:
    """(B, U, F) what a policy of these features reads, unit = group * I + item.

    Beyond those of ``observe``: ``due_in_k_cover``, log(1 + units due in k periods / expected demand);
    ``lead_time``, log(1 + L); ``critical_odds``, log of the cost of a unit short over that of a unit left at
    the last price; ``usual_demand``, log of the expected demand in units.
    """
    seen = observe(view)
    if features == FEATURES:
        return seen
    known = dict(zip(FEATURES, seen.unbind(-1), strict=True))
    return torch.stack([known[name] if name in known else _MORE[name](view) for name in features], dim=-1)


def _total(view: View) -> Tensor:
    """(B, U) expected demand of a unit, as ``observe`` has it."""
    mean = torch.maximum(view.outlook.mean, 1e-3 * view.market.terms.typical_demand).clamp(min=1e-6)
    return view.market.by_group.total(mean, -2).flatten(1)


def _due(periods: int, view: View) -> Tensor:
    if periods > view.state.pipeline.shape[1]:
        return torch.zeros_like(_total(view))
    units = view.market.by_group.total(view.state.pipeline[:, periods - 1], -2).flatten(1)
    return torch.log1p(units.clamp(min=0) / _total(view))


def _lead_time(view: View) -> Tensor:
    return torch.log1p(torch.full_like(_total(view), view.market.economics.lead_time))


def _critical_odds(view: View) -> Tensor:
    ratio = critical_ratio(view, view.state.last_price).expand_as(view.outlook.mean)
    return view.market.by_group.mean(ratio, -2).flatten(1).logit()


def _usual_demand(view: View) -> Tensor:
    return _total(view).log()


_MORE: dict[str, Callable[[View], Tensor]] = {
    **{name: partial(_due, periods) for name, periods in _DUE.items()},
    "lead_time": _lead_time,
    "critical_odds": _critical_odds,
    "usual_demand": _usual_demand,
}
