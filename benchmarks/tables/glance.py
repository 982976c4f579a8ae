"""A market or a policy learned at a glance, to see that it can be.

``python -m benchmarks.tables.glance fit TABLE MARKET`` or ``… train MARKET POLICY STEPS``
"""

from __future__ import annotations

import sys
from pathlib import Path

from mercato.agents.learner import Validation
from mercato.agents.train import PPOSettings, train_ppo
from mercato.envs.economics import Economics
from mercato.envs.store import fit_market, load_market
from mercato.forecasters.model import FitSettings
from mercato.forecasters.network.training import TrainingSettings
from mercato.forecasters.panel import read_panel

BRIEF = FitSettings(training=TrainingSettings(steps=15))


def fit(table: Path, market: Path) -> None:
    """Fit the market of a table, its network hardly trained."""
    fit_market(read_panel(table), Economics(), market, BRIEF)


def train(market: Path, policy: Path, steps: int) -> None:
    """Train in a market's folder for ``steps`` unit-periods, and keep the policy."""
    glance = Validation(times=1, episodes=1, horizon=13)
    train_ppo(load_market(market), PPOSettings(steps=steps, markets=1, validation=glance), seed=0).save(
        policy
    )


if __name__ == "__main__":
    verb, source, out, *rest = sys.argv[1:]
    if verb == "fit":
        fit(Path(source), Path(out))
    else:
        train(Path(source), Path(out), int(rest[0]))
