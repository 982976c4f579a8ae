"""A new item that is described as the market's items are: which one it is like, and how much of it sells."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_markets import make_market

from mercato.envs.customers import MarketCustomers
from mercato.envs.market import Market
from mercato.envs.scenarios import Plan
from mercato.forecasters.customers.attributes import Attributes, LevelOfNew, level_of_new
from mercato.forecasters.customers.text import HashedTerms
from mercato.forecasters.errors import InputError
from mercato.forecasters.events import Items, write_items
from tests.envs.scenario_play import plan

KINDS = ("Tea", "Coffee", "Juice")
SIZES, SHADES = ("small", "large"), ("amber", "violet")


@pytest.fixture(autouse=True)
def terms_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not a sentence model is installed."""
    monkeypatch.setattr("mercato.forecasters.customers.attributes.encoder", HashedTerms.of)


def shelf(goods: int = 60) -> Items:
    """A third each of tea, coffee and juice, half of them small, half of either amber, with pictures."""
    number = np.arange(goods)
    size, shade = number // 3 % 2, number // 6 % 2
    return Items(
        tuple(f"item {k + 1}" for k in number),
        tuple(("Food", "Drinks", KINDS[k % 3]) for k in number),
        tuple(f"{SIZES[s]} {SHADES[c]}" for s, c in zip(size, shade, strict=True)),
        np.stack([np.cos(number), np.sin(number)], axis=1).astype(np.float32),
    )


def shop(by_size: float, items: Items | Path | None = None, goods: int = 60) -> Market:
    """Two locations where coffee sells e times as much as tea, juice as coffee; what is large, by ``by_size``
    log units more than what is small, beside luck."""
    number = np.arange(goods)
    level = 2 + number % 3 + by_size * (number // 3 % 2) + np.random.default_rng(0).normal(0, 0.1, goods)
    share = torch.tensor([[0.25], [0.75]])
    market = make_market(2, goods, mean=share * torch.from_numpy(np.exp(level)).float())
    told = shelf(goods) if items is None else items
    return replace(market, customers=MarketCustomers("too few are known", described=told))


def launched(where: Market, **fields: Any) -> Plan:
    return plan({"new_item": {"name": "new", "diversion": 0, **fields}}, where)


def like(made: Plan) -> str:
    """The item that the new one is like."""
    return made.origin.market.items[made.origin.items[-1]]


def units(made: Plan) -> float:
    """Of the new item, a period, in all locations."""
    return float(made.market.terms.typical_demand[:, -1].sum())


def fitted(where: Market) -> LevelOfNew:
    assert where.customers is not None
    assert where.customers.items is not None
    level = where.terms.typical_demand.double().sum(0).log().numpy()
    return level_of_new(Attributes.of(where.customers.items), level)


def mean_of(where: Market, path: tuple[str, ...]) -> float:
    """Units that the category's mean leads to expect."""
    return float(np.exp(fitted(where).categories(Attributes((path,), np.zeros((1, 0))))[0]))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"category": "Food > Drinks > Coffee", "text": "large violet"}, ("Coffee", "large violet")),
        ({"category": "Food>Drinks>Tea", "text": "something small"}, ("Tea", "small")),
        ({"text": "violet, and large"}, ("", "large violet")),
        ({"category": "Food > Drinks > Water", "text": "small amber"}, ("", "small amber")),
        ({"category": 7, "text": "small amber"}, ("", "small amber")),
    ],
)
def test_it_is_like_the_nearest_of_its_category(told: dict[str, str], expected: tuple[str, str]) -> None:
    where = shop(by_size=0)
    found = shelf().names.index(like(launched(where, **told)))
    kind, text = expected
    assert kind in shelf().paths[found][-1]
    assert text in shelf().text[found]


def test_a_picture_tells_the_nearest_apart_however_long_its_vector() -> None:
    found = launched(shop(by_size=0), category="Food > Drinks > Tea", image=[50 * np.cos(9), 50 * np.sin(9)])
    assert like(found) == "item 10"


def test_of_equally_near_ones_it_is_like_the_one_of_median_size() -> None:
    where = shop(by_size=0)
    size = where.terms.typical_demand.sum(0)[::3]
    assert like(launched(where, category="Food > Drinks > Tea")) == f"item {3 * int(size.argsort()[10]) + 1}"


def test_texts_that_tell_the_level_are_used_for_it() -> None:
    where = shop(by_size=1.5)
    small, large = (launched(where, category="Food > Drinks > Tea", text=f"{size} violet") for size in SIZES)
    assert units(large) / units(small) == pytest.approx(np.exp(1.5), rel=0.15)
    assert units(small) == pytest.approx(np.exp(2), rel=0.25), "shrunk to what all sell"
    assert "attributes: used for the level of new items" in large.notes[0]
    assert fitted(where).text() in large.notes[0]
    known = shelf()
    both = Attributes.of(Items(("new",), (known.paths[0],), ("large violet",)), known)
    assert units(large) == pytest.approx(float(np.exp(fitted(where)(both)[0])), rel=1e-5)


def test_texts_that_tell_nothing_are_dropped_and_the_category_says_the_level() -> None:
    where = shop(by_size=0)
    made = launched(where, category="Food > Drinks > Coffee", text="large violet")
    assert units(made) == pytest.approx(mean_of(where, ("Food", "Drinks", "Coffee")), rel=1e-5)
    size = where.terms.typical_demand.sum(0)[where.items.index(like(made))]
    said = f"new: assumed to be like {like(made)}, with {units(made) / float(size):.3g} times its demand"
    assert made.notes[0] == f"{said}, as of Food > Drinks > Coffee; {fitted(where).text()}"
    assert "attributes: dropped" in made.notes[0]


def test_an_item_described_like_one_of_the_table_sells_about_as_its_category() -> None:
    where, known = shop(by_size=0), shelf()
    assert known.image is not None
    for k in (4, 17):
        told = {
            "category": " > ".join(known.paths[k]),
            "text": known.text[k],
            "image": known.image[k].tolist(),
        }
        made = launched(where, **told)
        assert like(made) == known.names[k]
        assert units(made) == pytest.approx(float(where.terms.typical_demand[:, k].sum()), rel=0.35)
        torch.testing.assert_close(
            made.market.terms.typical_demand[0, -1] * 3, made.market.terms.typical_demand[1, -1]
        )


def test_a_strange_category_falls_to_its_parent_and_none_to_that_of_the_one_it_is_like() -> None:
    where = shop(by_size=0)
    parent = launched(where, category="Food > Drinks > Water > Still")
    assert units(parent) == pytest.approx(mean_of(where, ("Food", "Drinks")), rel=1e-5)
    assert "as of Food > Drinks;" in parent.notes[0]
    assert "as of all items;" in launched(where, category="Toys").notes[0]
    tea = launched(where, like="item 1", text="violet")
    assert units(tea) == pytest.approx(mean_of(where, shelf().paths[0]), rel=1e-5)


def test_like_and_scale_hold_beside_a_description() -> None:
    where = shop(by_size=0)
    made = launched(where, category="Food > Drinks > Coffee", like="item 1", scale=0.5)
    assert like(made) == "item 1"
    assert units(made) == pytest.approx(0.5 * mean_of(where, ("Food", "Drinks", "Coffee")), rel=1e-5)
    twice = {"new_item": [{"name": "a", "scale": 7}, {"name": "b", "like": "a", "category": "Food"}]}
    late = plan({"new_location": {"name": "there"}, **twice}, where)
    assert float(late.market.terms.typical_demand[:2, -1].sum()) == pytest.approx(
        mean_of(where, ("Food",)), rel=1e-5
    )


NOTHING = replace(shelf(), text=("",) * 60, image=None)


@pytest.mark.parametrize(
    ("where", "fields", "said"),
    [
        (
            make_market(2, 3),
            {"category": "Food"},
            "scenario: new_item: expected a market with a table of items (fitted with --items), found none",
        ),
        (
            replace(make_market(2, 3), customers=MarketCustomers("too few")),
            {"text": "tea"},
            "new_item: expected a market with a table of items (fitted with --items), found none",
        ),
        (
            shop(0, goods=12),
            {"category": "Food"},
            "new_item: expected 20 items to try attributes on, found 12",
        ),
        (
            shop(0),
            {"image": [1.0, 2.0, 3.0]},
            "new_item.image: expected 2 numbers, as many as the market's images have, found 3",
        ),
        (shop(0, NOTHING), {"image": [1.0]}, "image: expected a table of items that has images, found none"),
        (shop(0, NOTHING), {"text": "tea"}, "text: expected a table of items that has texts, found none"),
        (shop(0), {"category": ""}, "new_item.category: String should have at least 1 character, found ''"),
        (
            shop(0),
            {"category": "Food", "attributes": {"size": 1}},
            "new_item: expected attributes, or a category, text and image; not both, found {'name': 'new'",
        ),
        (shop(0), {"category": "Food", "like": "item 99"}, "new_item.like: expected items of the market"),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_line(where: Market, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        launched(where, **fields)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_is_read_when_it_is_asked_for_and_goes_where_the_market_goes(tmp_path: Path) -> None:
    file = tmp_path / "items.parquet"
    where = shop(0, file)  # which is not there yet
    write_items(shelf(), file)
    told = {"category": "Food > Drinks > Tea", "text": "large violet"}
    expected = launched(where, **told)
    some = where.items[:30]
    for market in (where.to("cpu"), where.select(["location 1"]), pickle.loads(pickle.dumps(where))):
        assert like(launched(market, **told)) == like(expected)
    part = launched(where.select(items=some), **told)
    assert like(part) in some
    file.unlink()
    assert like(launched(where, **told)) == like(expected)
    with pytest.raises(InputError, match=r"new_item: .*items\.parquet: .* found no such file"):
        launched(shop(0, file), **told)
