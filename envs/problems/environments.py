"""Problems for Gymnasium: ``gymnasium.make("mercato.envs:LostSales-v0", cell="poisson-L4-p9")``."""

from __future__ import annotations

from typing import Any

from ..adapters.gym_env import MarketplaceEnv
from ..adapters.vector_env import MarketplaceVectorEnv
from .catalogue import problem


def environment(family: str, cell: str, **settings: Any) -> MarketplaceEnv:
    """A problem to play; ``settings`` are those of ``MarketplaceEnv``."""
    return MarketplaceEnv(problem(f"{family}/{cell}").market(), **settings)


def vector_environment(num_envs: int, family: str, cell: str, **settings: Any) -> MarketplaceVectorEnv:
    """Copies of a problem side by side; ``settings`` are those of ``MarketplaceVectorEnv``."""
    return MarketplaceVectorEnv(num_envs, problem(f"{family}/{cell}").market(), **settings)
