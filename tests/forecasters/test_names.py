"""Names as people write them elsewhere."""

from __future__ import annotations

import pytest

from mercato.forecasters.errors import InputError
from mercato.forecasters.names import positions

KNOWN = ("12.0", "007", "NA", "tea", "milk 2")


def test_a_number_that_a_spreadsheet_rewrote_is_the_one_it_equals() -> None:
    assert positions(["12", "7", "NA", "tea"], KNOWN, "items").tolist() == [0, 1, 2, 3]


def test_two_that_it_equals_are_told_apart_by_their_writing() -> None:
    assert positions(["7", "07"], ("7", "07", "007"), "items").tolist() == [0, 1]
    with pytest.raises(InputError):
        positions(["0007"], ("7", "07"), "items")


@pytest.mark.parametrize(("name", "near"), [("Tea", "tea"), ("milk2", "milk 2")])
def test_an_unknown_name_is_an_error_with_the_nearest_one(name: str, near: str) -> None:
    with pytest.raises(InputError, match=f"expected items .*found '{name}'; did you mean '{near}'"):
        positions([name], KNOWN, "items")


def test_a_name_of_ten_thousand_letters_makes_no_such_message() -> None:
    with pytest.raises(InputError) as caught:
        positions(["x" * 10_000], ("y" * 10_000,), "items")
    assert len(str(caught.value)) < 300


def test_text_that_is_no_number_equals_none() -> None:
    with pytest.raises(InputError):
        positions(["nan"], ("NaN", "inf"), "items")
