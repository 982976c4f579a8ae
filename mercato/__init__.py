"""Learn a market from a sales table, simulate it, train policies in it, and see how far to trust them.

The way through, each step a function of plain things (files, data frames, or what the step before returned):

```python
import mercato

market = mercato.fit("sales.csv")
policy = mercato.train(market, "ppo")
print(mercato.benchmark(market, policy).table)
print(mercato.decide(market, policy, "sales.csv").rows)
print(mercato.whatif(market, {"price": 0.9}).table)
```

Nothing heavy is loaded until a name is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agents.learned import LearnedPolicy
    from .agents.pathwise import PathwiseSettings
    from .agents.train import DQNSettings, PPOSettings
    from .app.api import benchmark, decide, fit, forecast, load_market, train, why
    from .app.benchmarking import Benchmark
    from .app.campaigns import Campaigns, campaigns
    from .app.console import Bars
    from .app.decisions import Decisions
    from .app.experiment.api import design_experiment, evaluate, read_experiment
    from .app.experiment.design import Design
    from .app.experiment.earned import Earned
    from .app.experiment.reading import Reading
    from .app.scenarios import whatif, whatif_each
    from .app.series import price_response, trajectories
    from .app.updating.api import Updated, drift, rollback, update, versions
    from .app.updating.watching import Drift
    from .app.whatif import WhatIf
    from .envs.adapters.gym_env import MarketplaceEnv
    from .envs.adapters.vector_env import MarketplaceVectorEnv
    from .envs.economics import Economics, PriceRules
    from .envs.market import Market
    from .envs.scenarios import Scenario
    from .forecasters.errors import InputError, UnplayableError
    from .forecasters.events import Events, read_events
    from .forecasters.model import FitSettings
    from .forecasters.panel import SalesPanel, read_panel
    from .forecasters.tensorboard import TensorBoard

    __version__: str

__all__ = [
    "Bars",
    "Benchmark",
    "Campaigns",
    "DQNSettings",
    "Decisions",
    "Design",
    "Drift",
    "Earned",
    "Economics",
    "Events",
    "FitSettings",
    "InputError",
    "LearnedPolicy",
    "Market",
    "MarketplaceEnv",
    "MarketplaceVectorEnv",
    "PPOSettings",
    "PathwiseSettings",
    "PriceRules",
    "Reading",
    "SalesPanel",
    "Scenario",
    "TensorBoard",
    "UnplayableError",
    "Updated",
    "WhatIf",
    "__version__",
    "benchmark",
    "campaigns",
    "decide",
    "design_experiment",
    "drift",
    "evaluate",
    "fit",
    "forecast",
    "load_market",
    "price_response",
    "read_events",
    "read_experiment",
    "read_panel",
    "rollback",
    "train",
    "trajectories",
    "update",
    "versions",
    "whatif",
    "whatif_each",
    "why",
]

_HOMES = {
    ".agents.learned": ("LearnedPolicy",),
    ".agents.pathwise": ("PathwiseSettings",),
    ".agents.train": ("DQNSettings", "PPOSettings"),
    ".app.api": (
        "benchmark",
        "decide",
        "fit",
        "forecast",
        "load_market",
        "train",
        "why",
    ),
    ".app.campaigns": ("Campaigns", "campaigns"),
    ".app.scenarios": ("whatif", "whatif_each"),
    ".app.benchmarking": ("Benchmark",),
    ".app.console": ("Bars",),
    ".app.decisions": ("Decisions",),
    ".app.experiment.earned": ("Earned",),
    ".app.experiment.design": ("Design",),
    ".app.experiment.reading": ("Reading",),
    ".app.experiment.api": ("design_experiment", "evaluate", "read_experiment"),
    ".app.series": ("price_response", "trajectories"),
    ".app.updating.api": ("Updated", "drift", "rollback", "update", "versions"),
    ".app.updating.watching": ("Drift",),
    ".envs.scenarios": ("Scenario",),
    ".app.whatif": ("WhatIf",),
    ".envs.adapters.gym_env": ("MarketplaceEnv",),
    ".envs.adapters.vector_env": ("MarketplaceVectorEnv",),
    ".envs.economics": ("Economics", "PriceRules"),
    ".envs.market": ("Market",),
    ".forecasters.errors": ("InputError", "UnplayableError"),
    ".forecasters.events": ("Events", "read_events"),
    ".forecasters.model": ("FitSettings",),
    ".forecasters.panel": ("SalesPanel", "read_panel"),
    ".forecasters.tensorboard": ("TensorBoard",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version(__name__)
    elif name in _HOME:
        value = getattr(import_module(_HOME[name], __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
