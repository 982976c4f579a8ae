"""The second stage of a fit: how demand follows past demand, by a regression and a network that corrects it.

The price response is held fixed. What no setting of the network touches is worked out once (``prepare``), so
that several networks can be trained on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .features import History, past_features
from .model import FitSettings
from .network import (
    Base,
    DemandNetwork,
    Loss,
    SubMarket,
    chain_news,
    demand_network,
    fit_base,
    history_tokens,
    known_ahead,
    losses_by_period,
    stabilised,
    train_network,
)
from .progress import SILENT, Progress, Stage
from .response import PriceResponse, adjusted_history, history_effect, log_level
from .statistics import BLOCK, row_log_likelihood
from .tensors import Checkpoint


@dataclass(frozen=True)
class Ground:
    """What a network is trained on."""

    history: History
    tokens: Tensor  # (T, S, I, F)
    level: Tensor  # (S, I) log level of sales
    base: Base
    informed: Base  # the same, told what the chain's logged prices say of a week
    known: Tensor  # (T - 1, S, I, M, 2) what the base says of all periods but the first
    offset: Tensor  # (T, S, I, 1) log mean demand of an ordinary period at the prices charged
    resampling: Tensor  # (T, M) weight of each period for each member
    valid: Tensor  # (T,) bool, the last periods, which are held back

    def train(
        self,
        settings: FitSettings,
        seed: int,
        stage: Stage,
        checkpoint: Checkpoint | None = None,
        start: DemandNetwork | None = None,
    ) -> tuple[DemandNetwork, float]:
        """A network with these settings, and its loss on the periods held back; from the weights of ``start``
        where it is of the same kind and size."""
        torch.manual_seed(seed)
        _, places, goods = self.history.units.shape
        outputs = 2 * self.resampling.shape[1]
        network = demand_network(self.tokens.shape[-1], outputs, places, goods, settings.trunk)
        if start is not None:
            _take_over(network, start)
        network = network.to(self.tokens.device)
        best = train_network(
            network,
            self.tokens,
            self.history,
            self._loss(network),
            ~self.valid,
            self.valid,
            settings.training,
            seed,
            stage,
            checkpoint,
        )
        return network, best

    def losses(self, network: DemandNetwork, settings: FitSettings, seed: int) -> Tensor:
        """(K,) loss of each period held back: negative log likelihood a row."""
        return losses_by_period(
            network, self.tokens, self.history, self._loss(network), self.valid, settings.training, seed
        )

    def _loss(self, network: DemandNetwork) -> Loss:
        counts, seen = self.history.units / self.history.grain, self.history.stock_outs
        members = self.resampling.shape[1]

        def loss(out: Tensor, cut: SubMarket, rows: Tensor) -> Tensor:
            index = slice(cut.periods.start + 1, cut.periods.stop)

            def part(x: Tensor) -> Tensor:
                return x[index][:, cut.places][:, :, cut.goods]

            weight = part(self.history.known).unsqueeze(-1) & rows[index].view(-1, 1, 1, 1)
            if network.training:
                weight = weight * self.resampling[index].view(-1, 1, 1, members)
            told = part(self.known) + out[:-1].unflatten(-1, (members, 2))
            log_mean, log_r = part(self.offset) + told[..., 0], told[..., 1]
            log_mean = log_mean + part(seen.exposure).log().unsqueeze(-1)
            units, bound = (part(x).unsqueeze(-1).expand_as(log_mean) for x in (counts, seen.bound))
            value = -row_log_likelihood(units, bound, log_mean, log_r)
            return (value * weight).sum() / weight.expand_as(value).sum().clamp(min=1)

        return loss


def prepare(
    history: History,
    response: PriceResponse,
    settings: FitSettings,
    seed: int,
    progress: Progress = SILENT,
) -> Ground:
    """All of the second stage but the network."""
    periods, _, goods = history.units.shape
    effect = history_effect(history, response) + history.steps
    level = log_level(history, effect)
    adjusted = adjusted_history(history, level, effect)
    tokens = history_tokens(history, adjusted)
    device = tokens.device
    held = min(settings.validation, periods // 5)
    valid = torch.arange(periods, device=device) >= periods - held
    resampling = _resampling(periods, settings.members, seed).to(device)
    reads = (history, adjusted, level + effect)
    with progress.stage("learn how demand follows past demand", 3 * goods) as stage:
        ahead, found = known_ahead(*reads, ~valid, stage)
        base, found = fit_base(*reads, ahead, ~valid, resampling, found, stage)
        news = torch.cat([ahead, chain_news(history, response.pivot)], dim=-1)
        informed, _ = fit_base(*reads, news, ~valid, resampling, found, stage)
    base = stabilised(base)
    before = past_features(adjusted, history.known, history.assortment)[:-1]
    known = base.predict(before, base.known(ahead))
    offset = (level + effect - history.grain.log()).unsqueeze(-1)
    return Ground(history, tokens, level, base, informed, known, offset, resampling, valid)


def _take_over(network: DemandNetwork, start: DemandNetwork) -> None:
    """Give a network the weights of another, if they fit."""
    own, others = network.state_dict(), start.state_dict()
    if own.keys() == others.keys() and all(own[name].shape == others[name].shape for name in own):
        network.load_state_dict(others)


def _resampling(periods: int, members: int, seed: int) -> Tensor:
    """(T, M) weights of a Bayesian bootstrap of blocks of periods (Rubin 1981, Ann. Stat. 9)."""
    generator = torch.Generator().manual_seed(seed + 2)
    blocks = torch.empty(periods // BLOCK + 1, members).exponential_(generator=generator)
    return blocks.repeat_interleave(BLOCK, 0)[:periods]
