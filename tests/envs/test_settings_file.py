"""Settings of people: what a file means is what it looks like, or it is refused in one line at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as some

from mercato.envs.economics import Economics, PriceRules, read_economics
from mercato.forecasters.errors import InputError


def read(folder: Path, text: str, name: str = "shop.yaml") -> Economics:
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return read_economics(path)


def said(folder: Path, text: str, name: str) -> str:
    """The line that refuses a file, empty where it is none."""
    try:
        read(folder, text, name)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lead_time: 1:30", "lead_time: Input should be a valid integer, found '1:30'"),  # no sixty times
        ("lead_time: 007", "found '007'"),
        ("holding_rate: true", "holding_rate: Input should be a valid number, found True"),
        ("holding_rate: .inf", "holding_rate: expected a number up to 1e\\+12, found inf"),
        ("fixed_order_cost: 1e308", "expected a number up to"),
        ("unmet: NO", "found 'NO'"),
        ("lead_time: 2\nlead_time: 3", "line 2: 'lead_time' is given twice"),
        ("price_rules: {floor: 2, ceiling: 1}", "price_rules: expected a floor at or below the ceiling 1"),
        ("price_rules: {flor: 2}", r"price_rules.flor: no such field \(did you mean floor\?\)"),
        ("a: &a [1]\nb: *a", "aliases"),
        ("? [1]\n: 2", "expected the name of a field"),
        ("1: 2", "expected names of fields, found 1"),
        ("[" * 9000, "nested too deeply"),
        ("x: " + "y" * 2**21, "expected at most 1 MiB"),
        ("x:\n" + "- 1\n" * 2**17, "line 49999: expected at most 50,000 names and values, found more"),
        ("lead_time: !!python/name:os.system", r"line 1: tags \(!\) are not read"),
    ],
)
def test_what_is_not_meant_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, text)
    assert len(str(caught.value)) < 600


def test_the_same_holds_of_json(tmp_path: Path) -> None:
    for text, message in (
        ('{"lead_time": 1, "lead_time": 2}', "'lead_time' is given twice"),
        ('{"holding_rate": Infinity}', "expected a number up to"),
        ('{"holding_rate": NaN}', "expected a number up to"),
        ("[" * 100_000, "nested too deeply"),
        ('{"x": [' + "1," * 2**17 + "1]}", "expected at most 50,000 names and values, found more"),
    ):
        with pytest.raises(InputError, match=message):
            read(tmp_path, text, "shop.json")


def test_a_whole_number_may_be_written_with_a_point(tmp_path: Path) -> None:
    assert read(tmp_path, "lead_time: 2.0\nholding_rate: 1").model_dump(exclude_unset=True) == {
        "lead_time": 2,
        "holding_rate": 1.0,
    }


_SCALARS = some.one_of(
    some.none(), some.booleans(), some.integers(), some.floats(), some.text(max_size=8), some.just(10**400)
)
_VALUES = some.recursive(
    _SCALARS, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner)
)
_NAMES = some.sampled_from([*Economics.model_fields, "lead_tiem", ""])


@settings(max_examples=150, deadline=None)
@given(some.dictionaries(_NAMES, _VALUES, max_size=4), some.booleans())
def test_no_file_ends_otherwise_than_in_economics_or_a_line(
    tmp_path_factory: pytest.TempPathFactory, content: dict, as_json: bool
) -> None:
    folder = tmp_path_factory.mktemp("settings")
    text = json.dumps(content) if as_json else yaml.safe_dump(content, allow_unicode=True)
    assert "\n" not in said(folder, text, "shop.json" if as_json else "shop.yaml")


@settings(max_examples=100, deadline=None)
@given(some.text(max_size=60))
def test_no_text_ends_otherwise(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("settings")
    assert "\n" not in said(folder, text, "shop.yaml")


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Economics(lead_time=-1), "Economics: lead_time: Input should be greater than or equal to 0"),
        (lambda: Economics(leadtime=1), "Economics: leadtime: no such field (did you mean lead_time?)"),
        (
            lambda: Economics(price_rules={"floor": 2, "ceiling": 1}),
            "price_rules: expected a floor at or below",
        ),
        (lambda: PriceRules(floor=2, ceiling=1), "PriceRules: expected a floor at or below the ceiling 1"),
        (lambda: Economics().counted_in("doubloons!"), "--currency: expected 1 to 8 printable characters"),
    ],
)
def test_settings_written_in_python_are_refused_in_one_line(build: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError) as caught:
        build()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
