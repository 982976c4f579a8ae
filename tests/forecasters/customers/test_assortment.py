"""What a new item is like: words, pictures and categories, each where the others tell nothing."""

from __future__ import annotations

import numpy as np
import pytest

from mercato.forecasters.customers import Assortment
from mercato.forecasters.customers.text import HashedTerms
from mercato.forecasters.errors import InputError
from mercato.forecasters.events import Items, path_of, path_text

GOODS = 24
NAMES = tuple(f"item {k}" for k in range(GOODS))
PATHS = tuple(("Food", "Tea") if k % 2 else ("Food", "Coffee", "Beans") for k in range(GOODS))
PLAIN = Items(NAMES, PATHS, ("",) * GOODS)
UNITS = np.exp(np.linspace(0, 2, GOODS))


@pytest.fixture(autouse=True)
def terms_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not a sentence model is installed."""
    monkeypatch.setattr("mercato.forecasters.customers.attributes.encoder", HashedTerms.of)


def new(category: str = "", text: str = "", image: list[float] | None = None) -> Items:
    return Items(("new",), (path_of(category),), (text,), None if image is None else np.array([image]))


def test_categories_alone_give_the_median_one_of_the_nearest() -> None:
    sold = Assortment.of(PLAIN, NAMES, UNITS)
    assert sold.nearest(new("Food > Tea")) == "item 13"
    assert sold.nearest(new("Food > Coffee > Ground")) == "item 12"
    assert sold.nearest(new("Toys")) == "item 12"
    assert "no words or pictures" in sold.level_of_new.text()
    assert sold.expected(new("Food > Tea"))[0] == pytest.approx(
        np.exp(sold.level_of_new.categories.means["Food", "Tea"])
    )


def test_words_and_pictures_count_alike_and_what_is_not_told_counts_for_nothing() -> None:
    text = ["plain"] * GOODS
    image = np.tile([0.0, 7.0], (GOODS, 1)).astype(np.float32)
    text[3], image[5], image[7] = "green leaves", [900.0, 0.0], np.nan
    sold = Assortment.of(Items(NAMES, PATHS, tuple(text), image), NAMES, UNITS)
    assert sold.nearest(new("Food > Tea", "green leaves")) == "item 3"
    assert sold.nearest(new("Food > Tea", image=[1.0, 0.1])) == "item 5"
    assert sold.nearest(new("Food > Tea", "green leaves", [0.0, 1.0])) == "item 3"
    assert sold.nearest(new("Food > Coffee", "green leaves", [1.0, 0.0])) not in ("item 3", "item 5")


def test_only_what_sells_is_learned_from() -> None:
    units = UNITS.copy()
    units[13] = 0.0
    assert Assortment.of(PLAIN, NAMES, units).nearest(new("Food > Tea")) != "item 13"
    with pytest.raises(InputError, match="expected 20 items to try attributes on, found 19"):
        Assortment.of(PLAIN, NAMES, np.where(np.arange(GOODS) < 5, 0.0, UNITS))


def test_paths_are_read_as_they_are_written() -> None:
    assert path_of(" Food>  Hot  drinks > ") == ("Food", "Hot drinks")
    assert path_of(path_text(PATHS[0])) == PATHS[0]
    assert path_of("") == ()
