"""Scenario files: what is written is read, and a mistake is one line that says where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mercato.envs.scenarios import (
    EFFECTS,
    Cost,
    Demand,
    Price,
    PriceLimits,
    Promotion,
    Scenario,
    composed,
    read_scenario,
    read_scenarios,
)
from mercato.envs.scenarios.schema import schema
from mercato.envs.scenarios.writing import to_yaml
from mercato.forecasters.errors import InputError
from tests.agents.shops import shop

EXAMPLE = """\
name: promotion
horizon: 8
demand:
- {multiplier: 1.2, items: [item 1], window: [1, 4]}
- {shift: 3, locations: shop 0}
cost.path: [1.0, 1.02, 1.05]
price_limits: {floor: 0.9, cap: 1.1}
"""


def written(folder: Path, text: str, name: str = "scenario.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read_as_written(tmp_path: Path) -> None:
    assert read_scenario(written(tmp_path, EXAMPLE)) == Scenario(
        name="promotion",
        horizon=8,
        demand=(
            Demand(multiplier=1.2, items=["item 1"], window=(1, 4)),
            Demand(shift=3, locations=["shop 0"]),
        ),
        cost=Cost(path=(1.0, 1.02, 1.05)),
        price_limits=PriceLimits(floor=0.9, cap=1.1),
    )


def test_short_forms_are_the_long_ones() -> None:
    long = Scenario(cost=Cost(multiplier=1.05))
    for short in ({"cost": 1.05}, {"cost.multiplier": 1.05}, {"cost": [{"multiplier": 1.05}]}):
        assert read_scenario(short) == long


def test_older_files_mean_what_they_meant() -> None:
    change = {"demand": 2, "price": 0.9, "items": ["item 1"], "window": [2, 3]}
    found = read_scenario({"changes": [change, {"demand": 3}]})
    scope: dict[str, Any] = {"items": ["item 1"], "window": (2, 3)}
    assert found.demand == (Demand(multiplier=2, **scope), Demand(multiplier=3))
    assert found.price == (Price(multiplier=0.9, **scope),)


def test_mistakes_in_python_are_one_line_too() -> None:
    for wrong in ({"changes": [{"demnd": 2}]}, {"cost": -1}, {"demand": {"multplier": 2}}, {"cost": [1, 2]}):
        with pytest.raises(InputError, match=r"^Scenario: "):
            Scenario(**wrong)  # type: ignore[arg-type]


names = st.text(min_size=1, max_size=8)
scopes = st.fixed_dictionaries(
    {},
    optional={
        "locations": st.lists(names, min_size=1, max_size=2).map(tuple),
        "window": st.sampled_from([(1, 2), ("2024-01-01", "2024-02-01")]),
    },
)
multiples = st.floats(0.01, 100, allow_nan=False)
effects: dict[str, Any] = {
    "demand": st.builds(lambda m, s: Demand(multiplier=m, **s), multiples, scopes),
    "cost": st.builds(
        lambda p, s: Cost(path=tuple(p), **s), st.lists(multiples, min_size=1, max_size=3), scopes
    ),
    "promotion": st.builds(lambda d, s: Promotion(discount=d, **s), st.floats(0.01, 0.99), scopes),
}


@settings(max_examples=50, deadline=None)
@given(
    st.fixed_dictionaries({"name": names}, optional={k: st.lists(e, max_size=2) for k, e in effects.items()})
)
def test_objects_and_files_tell_each_other(tmp_path_factory: pytest.TempPathFactory, fields: Any) -> None:
    scenario = Scenario(**fields)
    path = written(tmp_path_factory.getbasetemp(), to_yaml({**scenario.mapping(), "traffic": 1}))
    assert read_scenario(path) == scenario.model_copy(update={"traffic": read_scenario(path).traffic})


def test_several_files_apply_in_order(tmp_path: Path) -> None:
    first = written(tmp_path, "name: a\nhorizon: 8\ncost: 1.1\n", "a.yaml")
    then = written(tmp_path, "name: b\nepisodes: 9\ncost: 1.2\n", "b.yaml")
    both = read_scenario([first, then])
    assert (both.name, both.horizon, both.episodes) == ("a + b", 8, 9)
    assert both.cost == (Cost(multiplier=1.1), Cost(multiplier=1.2))
    assert both == composed(read_scenario(first), read_scenario(then))
    assert float(both.plan(shop(None)).cost[0, 0, 0]) == pytest.approx(1.1 * 1.2)


def test_lists_of_numbers_make_a_grid() -> None:
    found = read_scenarios({"demand.multiplier": [0.8, 1.2], "cost": [1, 1.1, 1.2]})
    assert [(one.scenario.demand[0].multiplier, one.scenario.cost[0].multiplier) for one in found] == [
        (demand, cost) for demand in (0.8, 1.2) for cost in (1, 1.1, 1.2)
    ]
    assert found[1].scenario.name == "scenario: demand.multiplier 0.8, cost.multiplier 1.1"


def test_the_schema_takes_what_is_read_and_names_every_effect() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft202012Validator(schema())
    import yaml

    check.validate(yaml.safe_load(EXAMPLE))
    for good in ({"cost": 1.05}, {"cost": [1, 1.1]}, {"demand.multiplier": [0.8, 1.0]}, {"changes": []}):
        check.validate(good)
    for bad in ({"demnd": 1}, {"cost": -1}, {"demand": {"multplier": 2}}, {"price": {"window": [0, 1]}}):
        assert not check.is_valid(bad), bad
    assert set(EFFECTS) <= set(schema()["properties"])
    assert json.loads(json.dumps(schema())) == schema()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("changes: []", "expected at least one effect, found none; effects are new"),
        ("changes:\n- demand: -1", "line 2: changes.0.demand: Input should be greater than or equal"),
        ("changes:\n- demnd: 2", "line 2: changes.0.demnd: no such field (did you mean demand?)"),
        (
            "cost: 2\ndemand:\n  multplier: 2",
            "line 3: demand.multplier: no such field (did you mean mult",
        ),
        ("demnd: 2", "line 1: demnd: no such field (did you mean demand?)"),
        (
            "demand:\n  multiplier: 200",
            "line 2: demand.multiplier: Input should be less than or",
        ),
        (
            "cost:\n- multiplier: 2\n- multiplier: true",
            "line 3: cost.1.multiplier: Input should be a valid",
        ),
        ("demand:\n  window: [5, 2]", "line 2: demand.window: expected [first, last] with first <= last"),
        ("demand:\n  window: [5, 2024-01-01]", "line 2: demand.window: expected two periods or two dates"),
        ("demand:\n  window: [monday, friday]", "expected a date such as 2026-03-31, found 'monday'"),
        ("start: soon\ncost: 2", "line 1: start: expected a date such as 2026-03-31, found 'soon'"),
        ("price:\n  fixed: 2\n  path: [1]", "line 1: price: expected fixed or path, found both"),
        ("cost: 1\ncost.multiplier: 2", "line 2: cost.multiplier: multiplier is given twice"),
        ("cost: []", "expected at least one effect"),
        ("cost:\n  multiplier: []", "line 2: cost.multiplier: expected at least one value, found none"),
        ("cost: 1e999", "expected a number up to 1e+12, found inf"),
        ("- a\n- b", "expected a mapping with effects, found a list"),
        ("a: [", "not valid YAML or JSON (line 1"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_scenarios(written(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "demand:\n  items: [itm 1]",
            "line 2: demand.items.0: expected items of the market (item 0, it",
        ),
        ("demand:\n  items: [itm 1]", "found 'itm 1'; did you mean 'item 1'?"),
        ("demand:\n  locations: [zz]", "found 'zz'; the nearest is 'shop 0'"),
        ("demand:\n  categories: al", "found 'al'; did you mean 'all'?"),
        (
            "demand:\n  window: [3, 9]",
            "line 2: demand.window.1: expected a period within the horizon, 1",
        ),
        ("demand:\n  window: [3, 9]", "found 9; the nearest is 6"),
        (
            "start: 2020-03-02\ndemand:\n  window: [2020-03-02, 2021-01-01]",
            "within the episode, 2020-03-02 to 2020-04-12, found 2021-01-01; the nearest is 2020-04-12",
        ),
        ("start: 2031-01-01\ndemand: 2", "line 1: start: expected a date from 2020-01-06 to 2021-03-01"),
    ],
)
def test_names_and_times_are_checked_against_the_market(tmp_path: Path, text: str, message: str) -> None:
    (asked,) = read_scenarios(written(tmp_path, f"{text}\nhorizon: 6\n"))
    with pytest.raises(InputError) as caught:
        asked.plan(shop([[-2.0, 0.0], [0.0, -2.0]]))
    assert message in str(caught.value)


def test_an_absent_file_and_a_name_that_is_not_ready_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_scenario(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="expected a file or one of"):
        read_scenario("demand-slmp")
