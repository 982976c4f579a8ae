"""How a policy for many shops starts in one: it corrects rules that are tuned there in seconds."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

from torch import nn

from ...envs.market import Market
from ...forecasters.progress import SILENT, Progress
from ..learned import LearnedPolicy, linear_layers
from ..learner import Validation, validation_worth
from ..residual import OpenResidual
from ..tuning import tune_static


def start_in(
    market: Market,
    policy: LearnedPolicy,
    seed: int = 0,
    validation: Validation = Validation(),
    caution: float = 0.0,
    progress: Progress = SILENT,
) -> LearnedPolicy:
    """A policy for many shops as it starts in one, without a gradient step.

    It corrects the static price and the orders that are tuned there in seconds (``tune_static``); or it is
    these rules themselves, where they are worth no less on validation customers. A policy that has its rules
    is returned as it is.

    Args:
        market: the shop.
        seed: of the customers of tuning and of validation, neither of which ``evaluate(seed=seed)`` meets.
        validation: how long both are played.
        caution: charged per unit of what the demand model is unsure of (``Cautious``).

    Raises:
        InputError: the policy observes what the market has not.
    """
    if not isinstance(policy.actions, OpenResidual):
        return policy
    corrected = replace(policy, actions=policy.actions.on(tune_static(market, seed, progress=progress)))
    rules = uncorrected(corrected)
    with progress.stage(f"start {policy.name}", total=2) as stage:
        worth = []
        for one in (rules, corrected):
            worth.append(validation_worth(market, one, seed, validation, caution))
            stage.advance()
        gain = (worth[1] - worth[0]) / max(abs(worth[0]), 1e-9)
        stage.note(f"corrected {gain:+.2%} over the rules tuned here in validation")
    return corrected if gain > 0 else rules


def uncorrected(policy: LearnedPolicy) -> LearnedPolicy:
    """The rules that a policy corrects, as a policy that is ready to learn: its last layer puts out 0."""
    network = deepcopy(policy.network)
    last = linear_layers(network)[-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return replace(policy, network=network)
