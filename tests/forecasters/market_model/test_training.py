"""Pre-training and adaptation: resumed to the same end, learning what is there, kept whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mercato.forecasters.errors import InputError
from mercato.forecasters.market_model import (
    AdaptationSettings,
    LowRank,
    MarketModel,
    MarketNetwork,
    MarketNetworkSettings,
    Observed,
    PretrainingSettings,
    PriorSettings,
    Prompt,
    Way,
    Whole,
    adapted,
    build_features,
    draw,
    forecast,
    pretrain,
    pretraining,
    shipped,
)
from mercato.forecasters.market_model.pretraining import drawn_lesson

SMALL = PriorSettings(locations=4, items=4, periods=(40, 50), months=(40, 50))
QUICK = PretrainingSettings(width=16, blocks=1, heads=2, batch=2, forecasts=3, warm_up=10, prior=SMALL)


def weights(model: MarketModel) -> dict[str, torch.Tensor]:
    return model.network.state_dict()


def panel_of(seed: int) -> Observed:
    return draw(np.random.default_rng(seed), SMALL)


class _Interrupt:
    """Progress that interrupts a training after so many steps."""

    def __init__(self, steps: int):
        self.left = steps

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[_Interrupt]:
        yield self

    def advance(self, n: int = 1) -> None:
        self.left -= n
        if self.left < 0:
            raise KeyboardInterrupt

    def curve(self, *_: object) -> None:
        pass

    def note(self, text: str) -> None:
        assert "lower is better" in text


def test_an_interrupted_training_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretraining, "_SAVE_EVERY", 2)
    settings = replace(QUICK, steps=9)
    whole = pretrain(tmp_path / "whole.safetensors", settings=settings)
    for steps in (3, 6):
        with pytest.raises(KeyboardInterrupt):
            pretrain(tmp_path / "parts.safetensors", settings=settings, progress=_Interrupt(steps))
    assert not (tmp_path / "parts.safetensors").exists()
    parts = pretrain(tmp_path / "parts.safetensors", settings=settings)
    assert whole.recipe == parts.recipe
    assert {path.name for path in tmp_path.iterdir()} == {"whole.safetensors", "parts.safetensors"}
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(parts)[name]), name


@pytest.mark.slow
def test_training_learns(tmp_path: Path) -> None:
    few, more = (
        pretrain(tmp_path / f"{steps}.safetensors", settings=replace(QUICK, steps=steps)).network
        for steps in (1, 120)
    )
    held_out = [drawn_lesson(99, number, QUICK) for number in range(20)]
    with torch.no_grad():
        before, after = (np.mean([float(one.loss(net)) for one in held_out]) for net in (few, more))
    assert after < 0.95 * before


def test_a_model_survives_its_file(tmp_path: Path) -> None:
    model = pretrain(tmp_path / "model.safetensors", settings=replace(QUICK, steps=2))
    again = MarketModel.load(tmp_path / "model.safetensors")
    assert again.recipe["settings"]["steps"] == 2
    for name, value in weights(model).items():
        assert torch.equal(value, weights(again)[name])


def test_what_is_no_model_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for content in (b"", b"nothing of the kind" * 9):
        path.write_bytes(content)
        with pytest.raises(InputError, match="a market model that `mercato pretrain` wrote") as caught:
            MarketModel.load(path)
        assert "\n" not in str(caught.value)


def test_deciles_never_cross_and_need_no_order_of_series() -> None:
    torch.manual_seed(0)
    network = MarketNetwork(MarketNetworkSettings(7, width=16, blocks=2, heads=2)).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    told, place, good = torch.randn(2, 5, 4, 7), torch.randperm(5), torch.randperm(4)
    with torch.no_grad():
        deciles = network(told)
        turned = network(told[:, place][:, :, good])
    assert (deciles.diff(dim=-1) >= 0).all()
    torch.testing.assert_close(turned, deciles[:, place][:, :, good], atol=1e-5, rtol=0)


def test_what_is_not_listed_is_not_attended_to() -> None:
    torch.manual_seed(0)
    network = MarketNetwork(MarketNetworkSettings(7, width=16, blocks=2, heads=2)).eval()
    told, listed = torch.randn(1, 5, 4, 7), torch.rand(1, 5, 4) < 0.6
    other = torch.where(listed.unsqueeze(-1), told, torch.randn_like(told))
    with torch.no_grad():
        one, two = network(told, listed), network(other, listed)
    torch.testing.assert_close(one[listed], two[listed], atol=1e-5, rtol=0)


def test_adapting_leaves_the_model_as_it_was_and_fits_the_panel_better(tmp_path: Path) -> None:
    model, panel = pretrain(tmp_path / "model.safetensors", settings=replace(QUICK, steps=5)), panel_of(1)
    before = {name: value.clone() for name, value in weights(model).items()}
    settings = AdaptationSettings(steps=80, way=Whole(3e-3))
    own = adapted(model, panel, len(panel.units), 4, settings=settings)
    again = adapted(model, panel, len(panel.units), 4, settings=settings)
    for name, value in weights(model).items():
        assert torch.equal(value, before[name])
    for one, other in zip(own.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    origin = len(panel.units) - 4
    features = build_features(panel, len(panel.units), [origin])
    rows, errors = panel.scored[origin:], []
    for network in (model.network, own):
        told = forecast(network, panel, features, origin, 4)
        missed = np.log1p(told[..., 4]) - np.log1p(np.nan_to_num(panel.units[origin:]))
        errors.append(np.abs(missed)[rows].mean())
    assert errors[1] < errors[0]


@pytest.mark.parametrize("way", [LowRank(1, 1e-2), Prompt(2, 3e-2)], ids=["low rank", "prompt"])
def test_an_adaptation_of_few_weights_holds_the_others_and_learns(tmp_path: Path, way: Way) -> None:
    model, panel = pretrain(tmp_path / "model.safetensors", settings=replace(QUICK, steps=5)), panel_of(1)
    own = adapted(
        model,
        panel,
        len(panel.units),
        4,
        settings=AdaptationSettings(steps=80, way=way),
    )
    moving = sum(p.numel() for p in own.parameters() if p.requires_grad)
    assert moving < 0.25 * sum(p.numel() for p in model.network.parameters())
    held = own.state_dict()
    for name, value in weights(model).items():
        kept = held.get(name, held.get(name.replace("weight", "parametrizations.weight.original")))
        assert torch.equal(kept, value), name
    origin = len(panel.units) - 4
    features = build_features(panel, len(panel.units), [origin])
    before, after = (forecast(network, panel, features, origin, 4) for network in (model.network, own))
    assert not np.allclose(before, after)


def test_the_shipped_model_beats_last_values_on_a_market_it_has_not_seen() -> None:
    """Without any training on it: a structural family, whose law is not in the prior."""
    from mercato.envs.structural import FAMILIES, ROLES, Size
    from mercato.forecasters.evaluation.metrics import scores
    from mercato.forecasters.market_model import observe
    from mercato.forecasters.panel import read_panel

    frame, _ = FAMILIES["nested-logit"].make(5, Size(6, 5, 80))
    panel = read_panel(frame, roles=ROLES)
    origin = 72
    seen = observe(panel, origin)
    told = forecast(shipped().network, seen, build_features(seen, origin, [origin]), origin, 8)
    last = np.repeat(np.nan_to_num(seen.units[origin - 1])[None, ..., None], 9, axis=-1)
    rows, units = seen.scored[origin:], seen.units[origin:]
    ours = scores(units[rows], told[rows])
    naive = scores(units[rows], np.broadcast_to(last, told.shape)[rows])
    assert ours["wql"] < 0.65 * naive["wql"]
    assert 0.6 < ours["coverage80"] < 0.97
