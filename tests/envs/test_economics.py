"""The economics file: what is read, what is assumed and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mercato.envs.economics import Economics, PriceRules, read_economics
from mercato.forecasters.errors import InputError


def test_without_a_file_everything_is_assumed() -> None:
    economics = read_economics(None)
    assert economics == Economics()
    assert not any(economics.given().values())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shop.yaml", "lead_time: 3\nprice_rules: {ending: 0.99, cadence: 4}\n"),
        ("shop.json", '{"lead_time": 3, "price_rules": {"ending": 0.99, "cadence": 4}}'),
    ],
)
def test_a_file_gives_what_it_names(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    economics = read_economics(tmp_path / name)
    assert economics.lead_time == 3
    assert economics.price_rules == PriceRules(ending=0.99, cadence=4)
    assert {field for field, given in economics.given().items() if given} == {"lead_time", "price_rules"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lead_tiem: 3", "lead_tiem.*fields are lead_time"),
        (
            "price_rules: {step: 1}",
            "price_rules.step: no such field; .*price_rules has ending, largest_change",
        ),
        ("lead_time: -1", "lead_time: .*greater than or equal to 0, found -1"),
        ("unmet: forgotten", "unmet: .*'lost' or 'backorder', found 'forgotten'"),
        ("price_rules: {ending: 99}", r"price_rules.ending: .*less than 1, found 99"),
        ("- lead_time", "expected a mapping of fields to values, found a list"),
        ("{", "not valid YAML or JSON"),
        ("currency: a whole sentence", "currency: expected 1 to 8 printable characters.*found 'a whole"),
        ("currency: 5", "currency: .*valid string, found 5"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_economics(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_absent_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(InputError, match="cannot be read"):
            read_economics(path)


def test_a_currency_is_no_assumption(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("currency: €\n")
    economics = read_economics(tmp_path / "shop.yaml")
    assert economics.currency == "€"
    assert Economics().currency == "money"
    assert "currency" not in economics.given()
    assert economics.counted_in(None) is economics
    assert economics.counted_in("USD") == Economics(currency="USD")
