"""The report, from made-up numbers: self-contained, escaped, complete, and the same twice."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mercato.agents.evaluation import METRICS, Evaluation
from mercato.app.benchmarking import Benchmark
from mercato.app.headline import headline
from mercato.app.report import figures, words
from mercato.app.report.contents import Contents, GuardRail, Interval, read_contents
from mercato.app.report.page import render
from mercato.forecasters.errors import InputError
from tests.app.samples import contents, interval


@pytest.fixture(scope="module")
def page() -> str:
    return render(contents())


class Reader(HTMLParser):
    """Collects what a browser would load, and whether tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.alts: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        loaded = ("src", "href") if tag != "a" else ()
        self.sources += [str(given[name]) for name in loaded if name in given]
        if tag == "img":
            self.alts.append(given.get("alt") or "")
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_loads_nothing_from_outside(page: str) -> None:
    reader = read(page)
    assert reader.sources
    assert all(source.startswith("data:") for source in reader.sources)
    assert "<script" not in page
    assert not re.search(r"@import|url\(", page)


def test_every_picture_is_a_labelled_drawing_with_words_for_it(page: str) -> None:
    reader = read(page)
    pictures = [s for s in reader.sources if s.startswith("data:image/svg+xml;base64,")]
    assert len(pictures) == len(reader.alts) == 2 + 2 + 3 + 2 + 1
    assert all(reader.alts)
    drawings = [base64.b64decode(source.partition(",")[2]).decode() for source in pictures]
    for drawing in drawings:
        assert 'xlink:href="http' not in drawing
    text = " ".join(re.findall(r">([^<>]+)<", "".join(drawings)))
    for label in (
        "profit per episode of 26 weeks ($)",
        "units sold per week",
        "price ($ per unit)",
        "week of the",
    ):
        assert label in text


def test_assumptions_stand_above_results_and_say_which_were_given(page: str) -> None:
    text = read(page).text
    assert text.index("What was given and what was assumed") < text.index("What each policy earns")
    assert "assumed" in page
    assert re.search(r"unmet.*?given", page, flags=re.DOTALL)


def test_the_headline_has_intervals_and_shares(page: str) -> None:
    line = words.headline(contents())
    assert line in read(page).text
    assert "+4.0% [+3.6, +4.5] (+16,600)" in line
    assert "profit per episode in $" in line
    assert "static price, base-stock" in line


def test_every_policy_is_in_the_table_best_first(page: str) -> None:
    text = read(page).text
    names = [row.policy for row in sorted(contents().policies, key=lambda row: -row.profit.mean)]
    table = text[text.index("at a bound") :]
    places = [table.index(name) for name in names]
    assert places == sorted(places)


def test_scenarios_that_were_run_are_on_the_page() -> None:
    metrics = ("profit", "revenue", "units", "demand", "unmet", "ordered", "fill_rate", "price_mean")
    ends = {"diff_mean": -12.0, "diff_lo": -15.0, "diff_hi": -9.0}
    told = {
        **{
            "scenario": "a <dear> cow",
            "policy": "usual",
            "episodes": 4,
            "horizon": 6,
            "notes": ["assumed: so"],
        },
        **{side: {**dict.fromkeys(metrics, 100.0), "outside": 0.25} for side in ("without", "with")},
        "differences": [{"metric": name, **ends} for name in metrics],
        "customers": [],
    }
    page = render(contents(), answers=[told])
    assert "<td>a &lt;dear&gt; cow</td>" in page
    assert "<td>−12</td><td>−15 … −9</td><td>25.0%</td>" in page
    text = read(page).text
    assert "a <dear> cow: usual, 4 episodes of 6 periods" in text
    assert "assumed: so" in text
    assert "What if" not in read(render(contents())).text


def test_what_is_decided_next_is_shown_with_its_reasons(page: str) -> None:
    assert "What ppo decides for 1992-10-08" in page
    assert "871 of 913 prices change and 41,200 units are ordered" in page
    assert "+2,310 [+1,670, +2,950] $" in page
    assert "Stock is assumed" in page
    assert "order: fills up to 2.0 periods of cover" in page
    assert 'All are in <a href="decisions.csv">' in page


def test_one_decision_is_drawn_in_the_parts_that_can_be_seen(page: str) -> None:
    assert "One decision in parts: tropicana 64 oz, location 2" in read(page).text
    drawn = figures.breakdown(contents().explanations[0])
    said = re.findall(r">([^<>]+)</text>", drawn)
    assert [words for words in said if words in ("ordinary price", "stock", "tried prices", "new price")] == [
        "ordinary price",
        "tried prices",
        "new price",
    ]
    assert {"2.71", "−0.21", "+0.48", "2.99"} <= set(said)
    assert "season" not in said  # a tenth of a cent
    multiplied = figures.breakdown(contents().explanations[1])
    assert {"500", "× 0.80", "× 1.25"} <= set(re.findall(r">([^<>]+)</text>", multiplied))


def test_a_policy_that_does_as_the_best_baseline_earns_the_same() -> None:
    whole = contents()
    line = whole.headline.model_copy(update={"versus_baseline": interval(0.0, 0.0)})
    told = words.headline(whole.model_copy(update={"headline": line}))
    assert told.startswith("The best learned policy, ppo, earns the same as the best baseline (static price")


@pytest.mark.parametrize(
    ("gain", "said"), [(0.0, "It decides as static price, orders does"), (-1.0, "it earns less")]
)
def test_a_policy_that_is_the_baseline_it_began_with_says_so(gain: float, said: str) -> None:
    profit = np.random.default_rng(0).normal(100, 5, 16)
    one = np.ones((2, 16))
    values = {**dict.fromkeys(METRICS, one), "profit": np.stack([profit, profit + gain])}
    evaluation = Evaluation(("static price, orders", "ppo"), values, 16, 8, 0)
    rule, learned = (SimpleNamespace(name=name) for name in evaluation.names)
    line = headline(Benchmark(None, (learned,), (rule,), evaluation))  # type: ignore[arg-type]
    assert any(said in reason for reason in line.reasons)


def test_names_cannot_break_the_page() -> None:
    wild = contents().model_copy(update={"title": '<b>&"</title><script>x</script>'})
    html = render(wild)
    assert "<script>" not in html
    assert read(html).text.count("<script>x</script>") == 2  # title and heading, as text


def test_the_same_contents_give_the_same_page(page: str) -> None:
    assert render(contents()) == page


def test_contents_survive_their_file(tmp_path: Path, page: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(contents().model_dump_json())
    assert render(read_contents(path)) == page


def test_a_report_with_little_to_show_is_still_a_page() -> None:
    bare = contents().model_copy(
        update={"forecasts": [], "responses": [], "trajectory": None, "limits": [], "other_customers": []}
    )
    text = read(render(bare)).text
    assert "What each policy earns" in text
    assert "Forecast against history" not in text


def test_not_beating_a_baseline_is_said_with_the_reason() -> None:
    line = contents().headline.model_copy(
        update={"not_beaten": ["static price, base-stock"], "reasons": ["Its prices are the same."]}
    )
    said = words.verdict(line)
    assert "does not beat every baseline" in said
    assert said.endswith("Its prices are the same.")
    assert "beats every baseline" in words.verdict(contents().headline)


def test_the_shop_s_rules_have_a_table_of_what_they_bind_and_cost(page: str) -> None:
    rail = GuardRail(rule="floor", bound={"ppo": 0.25}, lifted={"ppo": interval(4123.0, 412.3)})
    text = read(render(contents().model_copy(update={"rules": [rail]}))).text
    assert "25.0%" in text[text.index("The shop's rules") :]
    assert "+1.0% [+0.9, +1.1] (+4,123)" in text
    assert "The shop's rules" not in read(page).text


def test_the_true_market_has_its_own_table() -> None:
    known: Contents = contents().model_copy(update={"true_market": contents().policies})
    assert "The same policies in the true market" in read(render(known)).text


@pytest.mark.parametrize(
    ("text", "message"),
    [("{}", "not a report of this version"), ("nonsense", "not a report of this version")],
)
def test_a_broken_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_contents(path)
    with pytest.raises(InputError, match="expected the folder of a run"):
        read_contents(tmp_path / "none" / "report.json")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567.8, "1,234,568"),
        (12.345, "12.3"),
        (0.01234, "0.0123"),
        (-0.5, "−0.5"),
        (0.0, "0"),
        (99.96, "100"),
    ],
)
def test_numbers_keep_three_digits_and_their_thousands(value: float, text: str) -> None:
    assert words.number(value) == text


def test_a_loss_has_no_share_to_be_told_in() -> None:
    gap = Interval(mean=5.0, lo=-1.0, hi=11.0)
    assert words.difference(gap, -10.0) == "+5 [−1, +11]"
    assert words.difference(gap, 100.0) == "+5.0% [−1.0, +11.0] (+5)"
    assert words.difference(Interval(mean=-0.01, lo=-0.04, hi=0.03), 100.0) == "−0.01% [−0.04, +0.03] (−0.01)"
    none = Interval(mean=0.0, lo=-0.0001, hi=0.0001)
    assert words.difference(none, 100.0) == "0.00% [0.00, 0.00] (0)"
