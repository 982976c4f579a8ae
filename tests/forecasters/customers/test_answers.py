"""Answers come from the table or not at all; attributes are used where they help alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mercato.forecasters.customers import text
from mercato.forecasters.customers.answers import Answers
from mercato.forecasters.customers.attributes import Attributes, level_of_new
from mercato.forecasters.customers.text import HashedTerms
from mercato.forecasters.errors import InputError

TABLE = pd.DataFrame(
    {
        "question": [
            "Where is my order?",
            "How do I track my parcel?",
            "How do I return an article?",
            "Can I send back shoes that do not fit?",
            "Which cards do you take for payment?",
            "When is the shop open on Sundays?",
        ],
        "answer": ["parcel", "parcel", "return", "return", "payment", "hours"],
    }
)


@pytest.fixture(autouse=True)
def terms_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not a sentence model is installed."""
    monkeypatch.setattr("mercato.forecasters.customers.answers.encoder", HashedTerms.of)


def test_a_question_gets_the_answer_of_the_table_with_its_score() -> None:
    answers = Answers.of(TABLE)
    found = answers.ask(["where is my parcel", "how to return shoes", "open on sunday?"])
    assert [answer.found for answer in found] == ["parcel", "return", "hours"]
    assert all(answer.needed <= answer.score <= 1 + 1e-6 for answer in found)
    assert answers.ask([TABLE["question"][0]])[0].score == pytest.approx(1)


def test_a_question_that_the_table_does_not_know_gets_no_answer() -> None:
    (nothing,) = Answers.of(TABLE).ask(["Quelle est la capitale du Pérou"])
    assert nothing.found is None
    assert nothing.score < nothing.needed


def test_a_table_without_answers_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="found no answer among question"):
        Answers.of(TABLE[["question"]])
    with pytest.raises(InputError, match="two different answers or more, found 1"):
        Answers.of(TABLE[:2])


def test_hashed_terms_hear_the_stem_of_a_word_and_weigh_rare_ones_more() -> None:
    encode = HashedTerms.of(["the red wine", "the white wine", "the beer"])
    refund, refunds, beer = encode(["refund", "refunds", "beer"])
    assert refund @ refunds > 0.4 > abs(refund @ beer)
    wine, the, red = encode(["red wine"])[0], encode(["the"])[0], encode(["red"])[0]
    assert wine @ red > wine @ the
    assert text.HashedTerms.of([])([""]).shape == (1, text.WIDTH)


def items(n: int, informative: bool, seed: int) -> tuple[Attributes, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, 6))
    category = rng.integers(4, size=n)
    level = category + rng.normal(0, 0.5, n) + (vectors[:, 0] if informative else 0)
    return Attributes(tuple(("food", f"c{k}") for k in category), vectors), level


def test_attributes_are_used_where_they_tell_more_than_the_category() -> None:
    fit = level_of_new(*items(200, informative=True, seed=1))
    new, level = items(400, informative=True, seed=2)
    assert fit.uses_attributes
    by_category = np.mean((fit.categories(new) - level) ** 2)
    assert np.mean((fit(new) - level) ** 2) < 0.4 * by_category
    assert np.sqrt(np.mean((fit(new) - level) ** 2)) == pytest.approx(fit.error, rel=0.2)


def test_attributes_that_tell_nothing_are_dropped_and_a_strange_category_has_its_parents_mean() -> None:
    dropped = [not level_of_new(*items(120, informative=False, seed=s)).uses_attributes for s in range(10)]
    assert sum(dropped) >= 9
    attributes, level = items(120, informative=False, seed=3)
    fit = level_of_new(attributes, level)
    strange = Attributes((("food", "new"),), np.zeros((1, 6)))
    assert fit(strange)[0] == pytest.approx(level.mean(), abs=0.2)
    assert "dropped" in fit.text()
