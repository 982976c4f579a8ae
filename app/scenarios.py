"""What if, in Python: scenarios and policies from wherever they are, and what they change."""

from __future__ import annotations

from collections.abc import Sequence

from ..agents.tuning import baseline_names
from ..agents.workers import HERE, Workers
from ..envs.market import Market
from ..envs.scenarios import AnyScenario, Asked, read_scenarios
from ..envs.settings_file import Fault
from ..forecasters.errors import InputError, whole
from ..forecasters.progress import SILENT, Progress
from .arguments import AnyMarket, AnyPolicy, open_any, valid_seed
from .benchmarking import check_horizon
from .policies import USUAL, Wanted, each_once, short_name, tuned, wanted
from .whatif import By, WhatIf, answer_each, usual_policy


def whatif(
    market: AnyMarket,
    scenario: AnyScenario,
    policy: AnyPolicy | None = None,
    seed: int = 0,
    *,
    by: By | None = None,
    progress: Progress = SILENT,
) -> WhatIf:
    """Simulate the same episodes with and without a scenario, with the same customers.

    Args:
        market: the market to simulate.
        scenario: a ``Scenario``, a mapping of its fields such as ``{"cost": 1.05}``, a YAML file, the name
            of a ready one, or a list of these, which apply at once, in order.
        policy: the policy that decides, or the name of a baseline (``policies_named``); None: the prices of
            the table, with base-stock orders.
        seed: of the customers.
        by: ``location`` or ``item``, for the table of each (``.groups``).
        progress: is informed of every stage.

    Returns:
        ``.table``, means per episode and differences, with 95% intervals; ``.items``, profit by item.

    Raises:
        InputError: the scenario has an unknown or impossible field, names what the market lacks, or has
            several values of a field (``whatif_each`` tries them all).
    """
    found = whatif_each(market, [scenario], [policy], seed, by=by, progress=progress)
    if len(found) > 1:
        raise InputError(
            f"scenario: expected one value a field, found {len(found)} combinations;"
            " whatif_each tries them all"
        )
    return found[0]


def whatif_each(
    market: AnyMarket,
    scenarios: Sequence[AnyScenario],
    policies: Sequence[AnyPolicy | None] = (None,),
    seed: int = 0,
    *,
    episodes: int | None = None,
    by: By | None = None,
    progress: Progress = SILENT,
    workers: Workers = HERE,
) -> list[WhatIf]:
    """``whatif`` of every scenario under every policy; what is simulated are jobs of the ``workers``.

    A scenario whose numbers are lists is one scenario a combination of their values.

    Args:
        episodes: of each, instead of what the scenarios say.
    """
    shop, seed = open_any(market).remembered, valid_seed(seed)
    asked = [one for scenario in scenarios for one in read_scenarios(scenario)]
    if episodes is not None:
        asked = [one.with_episodes(whole("episodes", episodes, 2, 10_000)) for one in asked]
    who = wanted(shop, policies)
    rivals = _rivals(shop, asked)
    for one in asked:
        one.with_rivals(dict.fromkeys(rivals, usual_policy(shop))).plan(shop)  # whoever it is, it is checked
        try:
            check_horizon(shop, one.scenario.horizon)
        except InputError as error:
            raise InputError(f"{one.where}: {error}") from None
    ready = tuned(shop, [*who, *rivals.values()], seed, progress)
    deciders = dict(zip(rivals, ready[len(who) :], strict=True))
    asked = [one.with_rivals(deciders) for one in asked]
    told = answer_each(shop, each_once(ready[: len(who)]), asked, seed, by, progress, workers)
    return [WhatIf(one) for one in told]


def _rivals(market: Market, asked: Sequence[Asked]) -> dict[str, Wanted]:
    """The policies that competitors have in the scenarios, as they are named there.

    Raises:
        InputError: there is none of that name; says where it is named.
    """
    found: dict[str, Wanted] = {}
    for one in asked:
        for number, effect in enumerate(one.scenario.competitor):
            if effect.policy is None or effect.policy in found:
                continue
            try:
                (found[effect.policy],) = wanted(market, [effect.policy])
            except InputError as error:
                raise one.error(Fault(("competitor", number, "policy"), str(error))) from None
    return found


def by_name_only(market: Market, scenario: AnyScenario) -> list[str]:
    """The names of policies in a market, for whoever must not have files read.

    Raises:
        InputError: a competitor of the scenario has a policy of another name, or a file's.
    """
    known = [*map(short_name, baseline_names(market)), USUAL]
    for one in read_scenarios(scenario):
        for number, effect in enumerate(one.scenario.competitor):
            if effect.policy is not None and effect.policy not in known:
                raise one.error(
                    Fault(
                        ("competitor", number, "policy"),
                        f"expected one of {', '.join(known)} (policies in files are for the command line),"
                        f" found {effect.policy!r:.60}",
                    )
                )
    return known
