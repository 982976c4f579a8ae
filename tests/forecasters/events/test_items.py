"""What is known of items alone and together."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mercato.forecasters.errors import InputError
from mercato.forecasters.events import (
    Items,
    Relation,
    Rule,
    read_items,
    read_relations,
    write_items,
    write_relations,
)


def shelf() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item": ["tea", "milk", "soap"],
            "category": ["Food > Drinks > Tea", "Food>Dairy", None],
            "text": ["Green  tea, 20 bags", "Whole milk", None],
            "image_0": [0.1, None, 0.3],
            "image_10": [1.0, None, 3.0],
            "image_2": [0.5, None, 0.7],
            "shelf": ["a", "b", "c"],
        }
    )


def same(one: Items, other: Items) -> None:
    assert (one.names, one.paths, one.text, one.report) == (
        other.names,
        other.paths,
        other.text,
        other.report,
    )
    np.testing.assert_array_equal(one.image, other.image)


def test_items_have_paths_words_and_pictures(tmp_path: Path) -> None:
    items = read_items(shelf())
    assert items.names == ("milk", "soap", "tea")
    assert items.paths == (("Food", "Dairy"), (), ("Food", "Drinks", "Tea"))
    assert items.categories == ("Food > Dairy", "all", "Food > Drinks")
    assert items.text == ("Whole milk", "", "Green tea, 20 bags")
    assert items.image is not None
    np.testing.assert_allclose(items.image[2], [0.1, 0.5, 1.0])
    assert np.isnan(items.image[0]).all()
    assert items.report.notes == ("shelf: left out, not learned of items",)
    write_items(items, tmp_path / "items.parquet")
    same(read_items(tmp_path / "items.parquet"), items)


def test_levels_may_be_columns_of_their_own() -> None:
    frame = shelf().drop(columns="category").assign(category_2=["Tea", None, ""], category_1="Food")
    assert read_items(frame).paths == (("Food",), ("Food",), ("Food", "Tea"))


def test_items_of_a_panel_are_put_in_its_order() -> None:
    some = read_items(shelf()).of(["tea", "rice"])
    assert some.names == ("tea", "rice")
    assert some.paths == (("Food", "Drinks", "Tea"), ())
    assert some.image is not None
    assert np.isnan(some.image[1]).all()


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (shelf().drop(columns="item"), "items: expected the column item, found category, text"),
        (pd.concat([shelf(), shelf()[:1]]), "item: expected one row each, found 1 more, first: row 4"),
        (shelf().assign(image_2="red"), "image_2: expected finite numbers up to 1e+12, found 3 rows"),
        (
            shelf().assign(image=[[1, 2], [1], None]),
            "image: expected vectors of one length, found lengths [1, 2]",
        ),
        (
            shelf().assign(image=["a.png", None, "a.png"]),
            "image: expected vectors of numbers, found 'a.png'",
        ),
    ],
)
def test_bad_items_are_refused_in_one_line(frame: pd.DataFrame, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        read_items(frame)
    assert expected in str(caught.value)


def knowledge() -> pd.DataFrame:
    rows = [
        ("tea", "coffee", "substitute", None, None, None),
        ("Tea", "milk", "Complement", None, None, None),
        ("new tea", "tea", "successor", None, None, None),
        ("tea", "sugar", "rule", "-", -0.5, None),
        ("tea", None, "rule", None, -4, -1),
        ("tea", "coffee", "substitute", None, None, None),
    ]
    return pd.DataFrame(rows, columns=["item", "other", "relation", "sign", "low", "high"])


def test_relations_and_rules_are_told_apart(tmp_path: Path) -> None:
    found = read_relations(knowledge().assign(why="so"))
    assert found.relations == (
        Relation("tea", "coffee", "substitute"),
        Relation("Tea", "milk", "complement"),
        Relation("new tea", "tea", "successor"),
    )
    assert found.rules == (Rule("tea", "sugar", -0.5, 0.0), Rule("tea", "", -4.0, -1.0))
    assert found.report.notes == (
        "why: left out, no part of a relation",
        "item, other: 1 rows repeat another, left out",
    )
    write_relations(found, tmp_path / "relations.parquet")
    assert read_relations(tmp_path / "relations.parquet") == found


def test_a_category_stands_for_its_items() -> None:
    found = read_relations(knowledge()).among(
        ["tea", "green tea", "milk", "coffee"], ["Tea", "Tea", "Dairy", "Coffee"]
    )
    assert found.relations == (
        Relation("tea", "coffee", "substitute"),
        Relation("tea", "milk", "complement"),
        Relation("green tea", "milk", "complement"),
    )
    assert found.rules == (Rule("tea", "", -4.0, -1.0),)
    assert found.report.notes[-1] == (
        "item: 2 rows left out that name no item or category here: new tea, sugar"
    )


def test_an_open_end_is_infinite() -> None:
    rule = pd.DataFrame({"item": ["a"], "other": ["b"], "relation": ["rule"], "sign": ["+"]})
    assert read_relations(rule).rules == (Rule("a", "b", 0.0, inf),)
    assert read_relations(rule.assign(low=-3)).rules == (Rule("a", "b", 0.0, inf),)
    assert read_relations(rule.assign(sign=None, high=0.2)).rules == (Rule("a", "b", -inf, 0.2),)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"relation": "rival"},
            "relation: expected substitute, complement, successor or rule, found 'rival' (row 1)",
        ),
        ({"other": ["tea", "b"]}, "item, other: expected the names of two, found 'tea', 'tea' (row 1)"),
        ({"other": [None, "b"]}, "item, other: expected the names of two, found 'tea', '' (row 1)"),
        ({"relation": "rule", "sign": "up"}, "sign: expected +, - or 0, found 'up' (row 1)"),
        (
            {"relation": "rule"},
            "sign, low, high: expected a sign, or bounds from low to high, found '', '', '' (row 1)",
        ),
        ({"relation": "rule", "low": 2, "high": 1}, "found '', '2', '1' (row 1)"),
        ({"relation": "rule", "sign": "+", "high": -1}, "found '+', '', '-1' (row 1)"),
        ({"relation": "rule", "low": "much"}, "low, high: expected numbers, found 'much', '' (row 1)"),
        (
            {"relation": ["substitute", "complement"], "other": "b"},
            "relation: expected substitute or complement, found both of 1 pairs, first: b and tea",
        ),
    ],
)
def test_bad_relations_are_refused_in_one_line(change: dict, expected: str) -> None:
    frame = pd.DataFrame({"item": ["tea"] * 2, "other": ["a", "b"], "relation": "substitute"})
    with pytest.raises(InputError) as caught:
        read_relations(frame.assign(**change))
    assert expected in str(caught.value)
