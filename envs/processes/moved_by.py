"""What a visit that was not as usual does to customers: two effects that are known with error."""

from __future__ import annotations

import torch
from torch import Tensor

from ...forecasters.customers import MovedBy
from ...forecasters.tensors import NoiseKey, stable_id

_STREAM = 30


class Effects:
    """What is known of the two effects, of which each episode's customers have a draw."""

    def __init__(self, moved_by: MovedBy, what: str, device: torch.device) -> None:
        values, vectors = torch.linalg.eigh(moved_by.covariance.double())
        self._root = (vectors * values.clamp(min=0).sqrt()).float().to(device)
        self._mean = torch.tensor([moved_by.stock_out, moved_by.dear], device=device)
        self._ids = torch.tensor([stable_id(what, name) for name in ("stock_out", "dear")], device=device)
        error = float(moved_by.covariance[0, 0].clamp(min=0).sqrt())
        self.relative = error / max(moved_by.stock_out, error) if error else 0.0

    def drawn(self, key: NoiseKey) -> Tensor:
        """(B, 2) of stock-outs and of prices, neither below 0."""
        return (self._mean + key.normal(self._ids, _STREAM) @ self._root.T).clamp(min=0.0)


def met(effect: Tensor, share: Tensor, stock_out: Tensor, dear: Tensor) -> Tensor:
    """(B, S, K, P) what a period adds to a logit of its visitors.

    Args:
        effect: (B, 2) of stock-outs and of prices.
        share: (S, K, P, I) of a particle's basket.
        stock_out: (B, S, I) share of demand that was not there, beyond the usual.
        dear: (B, S, I) log of the price to the usual.
    """
    missed, minded = (x.view(-1, 1, 1) for x in effect.unbind(-1))
    return torch.einsum("skpi,bsi->bskp", share, missed * stock_out + minded * dear).contiguous()
