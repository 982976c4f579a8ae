"""A simulated market reads its own demand: what it learned of the past must not feed on itself.

The regression on the past (``base``) is a linear recursion of log demand: a rise comes back through the
series' own past, through the mean over the item's locations and through the mean over the location's items.
The largest eigenvalue of the recursion says what is left of it a period later (Lütkepohl 2005, New
Introduction to Multiple Time Series Analysis, section 2.1). Weights under which a rise would not die out are
scaled down until it does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..features import KEPT, LAGS, PARTS, SHRINK
from .base import Base

LARGEST = 0.985  # eigenvalue: half of a rise is gone after 46 periods
_HALVINGS = 12  # of the interval in which a scale is looked for
_STEPS = 300  # periods that a rise common to all items is followed for


def stabilised(base: Base) -> Base:
    """The regressions with weights of the past scaled down where a simulation would run away.

    First each item's weights of its own past and of its mean over locations, then all items' weights of the
    mean over items, which couples them. Weights that are no numbers, which an eigenvalue routine would not
    survive, are left to the gate that plays the market (``free_run``).
    """
    if not bool(base.past.isfinite().all()):
        return base
    own, across, around = (base.past[..., part] for part in PARTS.values())
    share = _largest_scale(
        lambda c: persistence_by_item(c[..., None] * own, c[..., None] * across), own[..., 0]
    )
    own, across = share[..., None] * own, share[..., None] * across
    share = _largest_scale(lambda c: persistence_of_all(own, across, c[:, None, None] * around), own[:, 0, 0])
    return replace(base, past=torch.cat([own, across, share[:, None, None] * around], dim=-1))


def persistence_by_item(own: Tensor, across: Tensor) -> Tensor:
    """(M, I) largest eigenvalue, in size, for a rise of one series and for one of the item everywhere."""
    everywhere = own + _as_own(across, [0, *range(LAGS, own.shape[-1])], own)
    return torch.stack([_radius(own), _radius(everywhere)]).amax(0)


def persistence_of_all(own: Tensor, across: Tensor, around: Tensor) -> Tensor:
    """(M,) largest eigenvalue, in size, for rises of several items: at one location, and everywhere."""
    everywhere = own + _as_own(across, [0, *range(LAGS, own.shape[-1])], own)
    beside = _as_own(around, [0, LAGS], own)
    return torch.stack([_growth(single, beside) for single in (own, everywhere)]).amax(0)


def gain(base: Base) -> Tensor:
    """(M, I) what comes back, sooner or later, of one unit by which all series rise for good."""
    own, across, around = (base.past[..., part] for part in PARTS.values())
    everywhere = (
        own + _as_own(across, [0, *range(LAGS, own.shape[-1])], own) + _as_own(around, [0, LAGS], own)
    )
    return (everywhere.double() * _seen_always(own)[1]).sum(-1).to(own.dtype)


def _largest_scale(radius: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
    """Largest scale in 0 … 1, shaped as ``like``, under which ``radius(scale)`` is at most ``LARGEST``."""
    low, high = torch.zeros_like(like), torch.ones_like(like)
    fits = radius(high) <= LARGEST
    if bool(fits.all()):
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        good = radius(middle) <= LARGEST
        low, high = torch.where(good, middle, low), torch.where(good, high, middle)
    return torch.where(fits, 1.0, low)


def _as_own(weights: Tensor, at: list[int], like: Tensor) -> Tensor:
    """Weights (…, k) laid out where the same features stand among a series' own (…, 6)."""
    out = torch.zeros_like(like)
    out[..., at] = weights
    return out


def _seen_always(like: Tensor) -> tuple[Tensor, Tensor]:
    """What of the sums is kept a period on; the scale (6,) of features of a series that is always seen."""
    kept = torch.tensor(KEPT, dtype=torch.float64, device=like.device)
    full = 1 / (1 - kept)
    return kept, torch.cat([kept.new_ones(LAGS), full / (full + SHRINK)])


def _radius(weights: Tensor) -> Tensor:
    """(…) spectral radius of the recursion of one series under weights (…, 6) of its own past."""
    kept, scale = _seen_always(weights)
    news = weights.double() * scale  # of the last values and running means in the coming value
    size = len(scale)
    out = news.new_zeros(*news.shape[:-1], size, size)
    out[..., 0, :] = news
    for lag in range(1, LAGS):
        out[..., lag, lag - 1] = 1
    for k, share in enumerate(kept):
        out[..., LAGS + k, :] = (1 - share) * news
        out[..., LAGS + k, LAGS + k] += share
    return torch.linalg.eigvals(out).abs().amax(-1).to(weights.dtype)


def _growth(single: Tensor, shared: Tensor) -> Tensor:
    """(M,) growth a period of a rise of all items (M, I, 6), each with its own weights and of the mean's."""
    kept, scale = _seen_always(single)
    single, shared = single.double() * scale, shared.double() * scale
    state, logs = torch.ones_like(single), []
    for _ in range(_STEPS):
        news = (single * state).sum(-1) + (shared * state.mean(-2, keepdim=True)).sum(-1)  # (M, I)
        means = kept * state[..., LAGS:] + (1 - kept) * news.unsqueeze(-1)
        state = torch.cat([news.unsqueeze(-1), state[..., : LAGS - 1], means], dim=-1)
        size = state.square().sum((-1, -2)).sqrt().clamp(min=1e-30)
        state = state / size.view(-1, 1, 1)
        logs.append(size.log())
    return torch.stack(logs[_STEPS // 2 :]).mean(0).exp().to(single.dtype).float()
