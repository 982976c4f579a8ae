"""Scenario files that nobody meant: each is refused in one clear line, at once."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mercato.envs.scenarios import EFFECTS, Scenario, read_scenarios
from mercato.envs.scenarios.reading import NUMERIC
from mercato.envs.scenarios.writing import to_yaml
from mercato.forecasters.errors import InputError
from tests.agents.shops import shop

MARKET = shop([[-2.0, 0.0], [0.0, -2.0]], locations=2)
SECONDS, LONGEST = 30, 900  # until a file is refused on a busy machine; characters of a message


def outcome(path: Path, content: bytes) -> str | None:
    """The error of a file of this content; None where it is a scenario."""
    path.write_bytes(content)
    begun = time.monotonic()
    said = None
    try:
        for asked in read_scenarios(path):
            asked.plan(MARKET)
    except InputError as error:
        said = str(error)
    assert time.monotonic() - begun < SECONDS
    if said is not None:
        assert said.startswith(f"scenario file {path}")
        assert len(said.splitlines()) == 1
        assert said.isprintable()
        assert len(said) - len(str(path)) < LONGEST
    return said


def nested(depth: int) -> str:
    """A number in so many lists."""
    return "[" * depth + "1" + "]" * depth


# ---- anything at all: it is read or refused

keys = st.sampled_from(
    [*Scenario.model_fields, "changes", "demnd", "cost.multiplier", "price.path", ".", "name.x", "x.y.z", ""]
)
names = st.sampled_from(
    ["item 0", "item 1", "shop 0", "all", "itm 0", "", "\u2028", "x" * 3000, "\ud800", "*a"]
)
numbers = st.one_of(
    st.integers(-3, 10**13), st.floats(), st.sampled_from([10**400, -(10**50), 5e-324, math.nan, math.inf])
)
dates = st.sampled_from(["2020-03-02", "2021-02-28", "0001-01-01", "9999-12-31", "2020-13-01", "2020-W01-1"])
windows = st.lists(st.one_of(st.integers(-1, 30), dates, st.none(), st.floats()), max_size=3)
scalars = st.one_of(
    st.none(), st.booleans(), numbers, names, dates, st.sampled_from(["1:30", "&b c", "!!int 3", "- -"])
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def of_kind(kind: str) -> st.SearchStrategy[tuple[str, Any]]:
    """An effect's key and a mapping of fields that it has, with values of every sort."""
    fields = st.sampled_from([*EFFECTS[kind].model_fields, "multplier"])
    values = st.one_of(
        numbers, names, st.lists(names, max_size=2), windows, st.lists(numbers, max_size=3), anything
    )
    mapping = st.dictionaries(fields, values, min_size=1, max_size=4)
    return st.tuples(st.just(kind), st.one_of(mapping, st.lists(mapping, min_size=1, max_size=2)))


effects = st.lists(st.sampled_from(sorted(EFFECTS)).flatmap(of_kind), min_size=1, max_size=3).map(dict)
mappings = st.one_of(effects, st.dictionaries(keys, anything, min_size=1, max_size=4))
fragments = ["demand:", "  multiplier: 2", "- a", "{", "]", "\t", "cost: 1", "&a *a", "? x", "!!bool x"]
texts = st.one_of(
    mappings.map(json.dumps),
    mappings.map(to_yaml),
    st.text(max_size=80),
    st.lists(st.sampled_from(fragments)).map("\n".join),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts, st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]), st.sampled_from(["yaml", "json"]))
def test_any_file_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, text: str, encoding: str, suffix: str
) -> None:
    outcome(tmp_path_factory.getbasetemp() / f"any.{suffix}", text.encode(encoding, "surrogatepass"))


# ---- a scenario with one fault: it is refused, and the line says what is wrong

NUMBERS = [f"{kind}:\n  {field}" for kind in sorted(EFFECTS) for field in sorted(NUMERIC[kind])]
word = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=12)


def lines_of(template: str, **parts: list[str]) -> st.SearchStrategy[str]:
    """``template`` with every choice of its parts."""
    chosen = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in parts.items()})
    return chosen.map(lambda values: template.format(**values))


def bomb(levels: int) -> str:
    """What unfolds to two to the power of ``levels``."""
    more = (f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n" for k in range(1, levels))
    return "a0: &a0 [x]\n" + "".join(more)


WINDOWS = [
    "[0, 3]",
    "[3, 2]",
    "[1, 27]",
    "[30, 40]",
    "[1]",
    "[1, 2, 3]",
    "[[1, 2]]",
    "5",
    "{a: 1}",
    "[a, b]",
]
DATED = ["[2020-01-01, 3]", "[2019-01-01, 2019-02-01]", "[2021-02-30, 2021-03-01]"]
ENDS = ["- a", "text", "---\n1\n---\n2", "{", "\0", "? [a]\n: 1", "\tcost: 2", "demand: 2\ndemand: 3"]
SETTINGS = ["horizon: 0", "horizon: 1e9", "episodes: [2, 3]", "start: soon", "name: ''", "name.x: 1"]
faults = st.one_of(
    lines_of("{field}: {value}", field=NUMBERS, value=["1e400", ".nan", "9" * 5000, "true", "'2'", "1:30"]),
    lines_of(
        "{field}: {value}", field=NUMBERS, value=["!!bool x", "!!int", "!!python/name:os.system", "!a b"]
    ),
    lines_of("{field}: {value}", field=NUMBERS, value=["[[1]]", "[]", "[.nan]", "{a: 1}", "[1, x]"]),
    st.tuples(st.sampled_from(NUMBERS), word).map(lambda two: f"{two[0]}{two[1]}_: 1"),
    word.map(lambda name: f"{name}_: 1"),
    st.tuples(st.sampled_from(["items", "locations", "categories"]), word).map(
        lambda two: f"demand: {{multiplier: 2, {two[0]}: [{json.dumps(two[1] + '?')}]}}"
    ),
    lines_of(
        "{kind}:\n  multiplier: 1.1\n  window: {window}",
        kind=["demand", "cost", "traffic", "price"],
        window=WINDOWS + DATED,
    ),
    st.tuples(st.sampled_from(sorted(EFFECTS)), st.integers(2, 3000)).map(
        lambda two: f"{two[0]}: {nested(two[1])}"
    ),
    st.integers(2, 40).map(bomb),
    st.integers(201, 400).map(lambda n: f"demand.multiplier: {list(range(1, n + 1))}"),
    st.sampled_from(ENDS),
    st.sampled_from([f"{setting}\ndemand: 2" for setting in SETTINGS]),
    st.just("name: caf\udce9\ndemand: 2"),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(faults)
def test_a_file_with_a_fault_is_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    content = text.encode("utf-8", "surrogateescape")
    assert outcome(tmp_path_factory.getbasetemp() / "faulty.yaml", content) is not None, content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: &a [x]\ndemand: *a\n", "line 2: aliases (*) are not read"),
        ("demand: !!bool x\n", "line 1: tags (!) are not read"),
        ("demand: !!int ''\n", "line 1: tags (!) are not read"),
        (
            "name: café\ndemand: 2\n".encode("latin-1"),
            "expected text in UTF-8, found byte 0xe9 at position 9",
        ),
        ("demand: 2\n".encode("utf-16-le"), "not valid YAML or JSON"),
        ("demand: " + "9" * 5000, "line 1: demand: expected a number up to 1e+12, found inf"),
        (f"demand: {nested(25)}", "line 1: demand: expected at most 20 levels, found more"),
        (
            "demand: {multiplier: 2, window: [1.5, 3]}",
            "window.0: expected a period of the episode, counted from 1",
        ),
        ("demand: {multiplier: 2, window: [0, 3]}", "or a date such as 2026-03-31, found 0"),
        ("horizon.multiplier: 2\ndemand: 2", "line 1: horizon.multiplier: horizon has no fields"),
        (".: 2\n", "line 1: .: no such field"),
        ("demand: some\n", "line 1: demand: expected a mapping of fields, found 'some'"),
        ("demand:\n" + "- multiplier: 1\n" * 1001, "demand: Tuple should have at most 1000 items"),
        ("#" * 2**20 + "\ndemand: 2", "expected at most 1 MiB, found 1,048,586 bytes"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, content: str | bytes, message: str) -> None:
    said = outcome(tmp_path / "a.yaml", content if isinstance(content, bytes) else content.encode())
    assert said is not None
    assert message in said


def test_json_is_held_to_the_same(tmp_path: Path) -> None:
    for content, message in (
        ('{"demand": NaN}', "demand: expected a number up to 1e+12, found nan"),
        ('{"demand": ' + "9" * 5000 + "}", "demand: expected a number up to 1e+12, found inf"),
        ('{"a":' * 900 + "1" + "}" * 900, "a: expected at most 20 levels, found more"),
        ("[" * 100_000, "nested too deeply"),
        ('{"demand": 1, "demand": 2}', "'demand' is given twice"),
    ):
        said = outcome(tmp_path / "a.json", content.encode())
        assert said is not None
        assert message in said
