"""A shop's own sales table, a market hardly fitted to it and a policy hardly trained in it: once a run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mercato.agents.learned import LearnedPolicy
from mercato.agents.learner import Validation
from mercato.agents.residual import to_spec
from mercato.agents.train import PPOSettings, train_ppo
from mercato.agents.tuning import Trials, TuningSettings
from mercato.app.card.card import market_card
from mercato.envs.economics import Economics
from mercato.envs.market import Market
from mercato.envs.store import fit_market, load_market, load_panel
from mercato.forecasters.market_model import ensemble
from mercato.forecasters.market_model.adaptation import AdaptationSettings
from mercato.forecasters.market_model.network import MarketNetwork
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network.training import TrainingSettings
from mercato.forecasters.reading import Reading
from tests.once import once

MAP = {"date": "day", "item": "sku", "location": "shop", "units": "qty", "price": "unit price"}


def sales(days: int = 120) -> pd.DataFrame:
    """One café, three drinks, daily, a week missing, columns named its own way."""
    rng = np.random.default_rng(1)
    dates = pd.date_range("2023-01-02", periods=days, freq="D")
    drinks = []
    for sku, base, usual in (("espresso", 40, 3.0), ("flat white", 25, 4.0), ("mocha", 12, 4.5)):
        price = usual * np.exp(np.repeat(rng.normal(0, 0.12, days // 7 + 1), 7)[:days])
        qty = rng.poisson(base * (price / usual) ** -1.8)
        drinks.append(
            pd.DataFrame(
                {"day": dates, "sku": sku, "shop": "corner", "qty": qty, "unit price": price.round(2)}
            )
        )
    table = pd.concat(drinks)
    return table[~table["day"].between("2023-03-06", "2023-03-12")]


def _here() -> bool:
    """Whether the test that runs is one of the application's: a session goes on with others."""
    return os.environ.get("PYTEST_CURRENT_TEST", "").startswith("tests/app")


@pytest.fixture(scope="session", autouse=True)
def hardly_adapted() -> Iterator[None]:
    """Market models are adapted, but a few steps are enough to see it."""
    whole = ensemble.adapted

    def adapted(*given: Any) -> MarketNetwork:
        *before, settings, progress = given
        assert isinstance(settings, AdaptationSettings)
        steps = min(settings.steps, 8) if _here() else settings.steps
        return whole(*before, replace(settings, steps=steps), progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ensemble, "adapted", adapted)
        yield


@pytest.fixture(scope="session", autouse=True)
def hardly_tuned() -> Iterator[None]:
    """Baselines are tuned, but on few customers."""
    whole = Trials.of

    def of(market: Market, settings: TuningSettings, seed: int) -> Trials:
        few = replace(settings, volume=60, periods=8, rounds=1, markups=3, price_volume=500)
        return whole(market, few if _here() else settings, seed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trials, "of", of)
        yield


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sales.csv, market/ and ppo.safetensors."""
    return once(tmp_path_factory, "home", settle)


@pytest.fixture(scope="session")
def card(home: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The card of the market at home."""

    def write(folder: Path) -> None:
        told = market_card(load_market(home / "market"), load_panel(home / "market"), seed=0)
        (folder / "card.json").write_text(json.dumps(told, allow_nan=False))

    read: dict[str, Any] = json.loads((once(tmp_path_factory, "card", write) / "card.json").read_text())
    return read


def settle(folder: Path) -> None:
    """Fill a home."""
    sales().to_csv(folder / "sales.csv", index=False)
    settings = FitSettings(training=TrainingSettings(steps=8))
    panel = Reading(map=MAP).read(folder / "sales.csv")
    fit_market(panel, Economics(), folder / "market", settings)
    glance = Validation(times=1, episodes=1, horizon=4, series=1)
    settings_ppo = PPOSettings(steps=600, markets=4, horizon=8, validation=glance)
    train_ppo(load_market(folder / "market"), settings_ppo).save(folder / "ppo.safetensors")


def contents(policy: LearnedPolicy) -> tuple[Any, ...]:
    """All of a policy, bit for bit; not its file, whose header's order is the writer's whim."""
    weights = {name: value.numpy().tobytes() for name, value in policy.network.state_dict().items()}
    return policy.name, weights, to_spec(policy.actions), policy.training, policy.features
