"""Whether a policy earns no less once it believes an updated market, with the customers of the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...agents.evaluation import bootstrap, evaluate, usual_episodes
from ...agents.policy import Policy
from ...envs.market import Market
from ...envs.processes.observed import ObservedDemand
from ...forecasters.progress import SILENT, Progress

_HORIZON = 13  # periods of an episode, at most


@dataclass(frozen=True)
class PolicyTrial:
    """Profit per episode of a policy, the update's beliefs less those of before; the same customers."""

    policy: str
    difference: float  # money
    lo: float  # 95% interval
    hi: float

    @property
    def passed(self) -> bool:
        """Whether it earns no less, beyond the interval."""
        return self.hi >= 0

    def __str__(self) -> str:
        return f"{self.policy}: {self.difference:+,.4g} [{self.lo:+,.4g}, {self.hi:+,.4g}] an episode"


def policy_trials(
    champion: Market, challenger: Market, policies: Sequence[Policy], seed: int, progress: Progress = SILENT
) -> tuple[PolicyTrial, ...]:
    """Each policy with either market's word on what to expect, before the champion's customers."""
    if not policies:
        return ()
    episodes = usual_episodes(champion)
    horizon = min(_HORIZON, champion.demand.periods - 1)
    profits = []
    for told in (champion, challenger):
        market = champion.with_demand(ObservedDemand(champion.demand, told.demand))
        profits.append(evaluate(market, policies, episodes, horizon, seed, progress).values["profit"])
    trials = []
    for n, policy in enumerate(policies):
        mean, lo, hi = bootstrap(profits[1][n] - profits[0][n], seed)
        trials.append(PolicyTrial(policy.name, mean, lo, hi))
    return tuple(trials)
