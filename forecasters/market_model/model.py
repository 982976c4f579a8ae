"""A market model: its weights, where they come from, and the forecasts that it makes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ..errors import InputError
from ..files import replace_file
from .features import Features
from .network import LEVELS, MarketNetwork, MarketNetworkSettings
from .observed import Observed

_SHIPPED = Path(__file__).with_name("weights.safetensors")
_FORMAT = 1
_GRID = 100  # levels that a mean is taken over
_AT_ONCE = 1_000  # series, times periods


@dataclass(frozen=True)
class MarketModel:
    """A network and how it was trained."""

    network: MarketNetwork
    recipe: dict[str, Any]

    def save(self, path: Path) -> None:
        """Write weights and recipe into one safetensors file."""
        about = {"format": _FORMAT, "network": asdict(self.network.settings), "recipe": self.recipe}
        weights = {
            name: value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()
        }
        replace_file(path, lambda new: save_file(weights, new, metadata={"about": json.dumps(about)}))

    @staticmethod
    def load(path: Path) -> MarketModel:
        """What ``save`` wrote.

        Raises:
            InputError: the file is absent, damaged or of another format.
        """
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads((file.metadata() or {})["about"])
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            if about["format"] != _FORMAT:
                raise InputError(
                    f"{path}: expected market model format {_FORMAT}, found {about['format']!r:.40}"
                )
            network = MarketNetwork(MarketNetworkSettings(**about["network"]))
            network.load_state_dict(weights)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
            said = " ".join(str(error).split())
            raise InputError(
                f"{path}: expected a market model that `mercato pretrain` wrote; {said:.200}"
            ) from None
        return MarketModel(network.eval(), about["recipe"])


@cache
def shipped() -> MarketModel:
    """The market model that comes with the package. Not to be changed: whoever adapts it works on a copy."""
    return MarketModel.load(_SHIPPED)


def forecast(
    network: nn.Module, panel: Observed, features: Features, origin: int, horizon: int
) -> np.ndarray:
    """Deciles (H, S, I, 9) of units wanted in the ``horizon`` periods from ``origin`` on."""
    return in_units(log_deciles(network, panel, features, origin, horizon), panel)


def in_units(logs: np.ndarray, panel: Observed) -> np.ndarray:
    """Deciles (…, S, I, 9) of units from those of their log."""
    return np.maximum(np.exp(logs) - 0.5 * panel.grain[:, None], 0.0)


def mean_units(deciles: np.ndarray, panel: Observed) -> np.ndarray:
    """Mean units (…, S, I) wanted, from their deciles (…, S, I, 9).

    Between and beyond the deciles, log demand runs straight in the quantiles of a normal distribution.
    """
    known, wanted = (
        torch.special.ndtri(x.double()).numpy() for x in (LEVELS, (torch.arange(_GRID) + 0.5) / _GRID)
    )
    piece = np.searchsorted(known, wanted).clip(1, len(known) - 1)
    share = (wanted - known[piece - 1]) / (known[piece] - known[piece - 1])
    blend = np.zeros((len(known), _GRID))
    blend[piece - 1, np.arange(_GRID)] = 1 - share
    blend[piece, np.arange(_GRID)] = share
    logs = np.log(deciles + 0.5 * panel.grain[:, None])
    return np.maximum(np.exp(logs @ blend).mean(-1) - 0.5 * panel.grain, 0.0)


@torch.no_grad()
def log_deciles(
    network: nn.Module, panel: Observed, features: Features, origin: int, horizon: int
) -> np.ndarray:
    """The same of log demand, (H, S, I, 9)."""
    network.eval()
    out, each = [], at_once(features.level.size)
    for begin in range(0, horizon, each):
        ahead = range(begin, min(begin + each, horizon))
        here = torch.from_numpy(np.stack([features.at(origin, k) for k in ahead]))
        listed = torch.from_numpy(panel.listed[origin + begin : origin + ahead.stop])
        out.append(network(here, None if bool(listed.all()) else listed))
    return torch.cat(out).double().numpy() + features.level[..., None]


def at_once(series: int) -> int:
    """Periods that are forecast in one call: a shop's together, since a call costs more than its rows do.

    A chain's one by one, so that they stay in the cache.
    """
    return max(1, _AT_ONCE // series)
