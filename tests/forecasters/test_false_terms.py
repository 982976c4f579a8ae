"""On panels whose price response is a constant elasticity, nothing beyond one is found."""

from __future__ import annotations

import pytest

from mercato.envs.structural import FAMILIES, ROLES, Size
from mercato.forecasters.features.history import build_history
from mercato.forecasters.fit import identify
from mercato.forecasters.identification.elasticity import Elasticities
from mercato.forecasters.panel import read_panel
from mercato.forecasters.statistics.terms import SEASONAL, Pooled, clear

PANELS = 40


def found_beyond(found: Elasticities) -> list[str]:
    """Names of the terms that were kept."""
    terms = {name: getattr(found, name) for name in ("curve", "chain", "joint", "sway", "carryover")}
    return [name for name, value in terms.items() if bool((value != 0).any())]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["log-linear", "zone-season"])
def test_no_more_than_one_panel_in_twenty_shows_a_term_that_it_lacks(family: str) -> None:
    wrong = []
    for seed in range(700, 700 + PANELS):
        frame, _ = FAMILIES[family].make(seed, Size(10, 8, 104))
        panel = read_panel(frame, roles=ROLES)
        _, _, found = identify(panel, build_history(panel))
        if beyond := found_beyond(found):
            wrong.append((seed, beyond))
    assert len(wrong) <= PANELS // 20, wrong


def test_few_blocks_of_periods_show_less_than_many() -> None:
    """Errors that are known from a few blocks only are themselves uncertain."""

    def at(blocks: int) -> Pooled:
        return Pooled(mean=3.2, error=1.0, spread=0.0, excess=0.0, blocks=blocks)

    assert clear("chain", at(100))
    assert not clear("chain", at(17))
    assert not clear(SEASONAL[0], at(2))
