"""The local page in a browser: views load, a scenario has the numbers of the command, keys are enough."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mercato.app import api
from mercato.app.output import to_json
from mercato.app.page.home import Home
from mercato.app.page.views import VIEWS
from tests.app.samples import contents

pytestmark = pytest.mark.slow

WIDTHS = (1280, 390)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FIRST_VIEW = 3.0  # seconds of a processor until it is served
MAKING = 600_000  # milliseconds that a small demo may take on a busy machine
BUTTONS = {"/scenario": "Run", "/decisions": "Propose for the coming period"}  # of views without a chart
SCENARIO = "episodes: 4\nhorizon: 6\ncost: 1.05\n"


@pytest.fixture(scope="module")
def run(home: Path, card: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A run with all that one leaves behind."""
    folder = tmp_path_factory.mktemp("page") / "run"
    shutil.copytree(home / "market", folder / "market")
    (folder / "policies").mkdir()
    shutil.copy(home / "ppo.safetensors", folder / "policies")
    found = api.benchmark(folder / "market", folder / "policies" / "ppo.safetensors", episodes=4, horizon=6)
    (folder / "benchmark.json").write_text(to_json(found.payload()))
    (folder / "card.json").write_text(json.dumps(card))
    (folder / "report.json").write_text(contents().model_dump_json())
    return Home(folder / "market", folder)


class Served:
    """``mercato ui`` in a process of its own."""

    def __init__(self, folder: Path, *more: str) -> None:
        command = [sys.executable, "-m", "mercato.app.cli", "ui", str(folder), "--port", "0", *more]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.line = self.process.stderr.readline()
        address = re.match(r"http://\S+", self.line)
        assert address is not None, self.line + self.process.stderr.read()
        self.address = address[0].rstrip("/") if "?" not in address[0] else address[0]

    def processor_seconds(self) -> float:
        """What the server itself has used so far."""
        told = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> str:
        """Interrupt it; what else it said."""
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=20)
        return said


@pytest.fixture(scope="module")
def served(run: Home) -> Iterator[Served]:
    assert run.run is not None
    page = Served(run.run)
    yield page
    said = page.end()
    assert page.process.returncode == 0
    assert "Traceback" not in said


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser here: none of {', '.join(BROWSERS)}")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


class Seen:
    """A page of the browser that notes what went wrong and what it asked of others."""

    def __init__(self, browser: Any, width: int = 1280) -> None:
        self.page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
        self.page.set_default_timeout(120_000)
        self.wrong: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(message.text)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.title)
def test_every_view_loads_at_every_width(browser: Any, served: Served, view: Any, width: int) -> None:
    seen = Seen(browser, width)
    seen.page.goto(served.address + view.path)
    seen.page.get_by_role("heading", name=view.title, level=1).wait_for()
    if view.path in BUTTONS:
        seen.page.get_by_role("button", name=BUTTONS[view.path]).wait_for()
    else:
        drawn = seen.page.locator("figure svg text")
        drawn.first.wait_for()
        assert drawn.count() > 5
        seen.page.get_by_role("button", name="Data of:").first.wait_for()
    assert seen.page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert seen.page.locator("[role=alert]").count() == 0
    assert seen.wrong == []
    assert seen.hosts == {served.address.removeprefix("http://")}


def test_the_first_view_is_there_before_anything_heavy_begins(browser: Any, run: Home) -> None:
    assert run.run is not None
    page = Served(run.run)
    try:
        seen = Seen(browser)
        seen.page.goto(page.address)
        seen.page.get_by_text("Trust it for", exact=True).wait_for()
        assert page.processor_seconds() < FIRST_VIEW
    finally:
        page.end()


def _command(run: Home, scenario: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "mercato.app.cli", "whatif", str(run.market), str(scenario)]
    told = subprocess.run([*command, "--seed", "7", "--json"], capture_output=True, text=True, check=True)
    return dict(json.loads(told.stdout))


def test_a_scenario_is_built_and_run_to_the_numbers_of_the_command(
    browser: Any, served: Served, run: Home, tmp_path: Path
) -> None:
    seen = Seen(browser)
    page = seen.page
    page.goto(served.address + "/scenario")
    page.get_by_label("scenario", exact=True).fill(SCENARIO)
    page.get_by_label("multiplier").fill("0.9")
    page.get_by_label("from period or date").fill("2")
    page.get_by_label("to period or date").fill("4")
    page.get_by_role("button", name="Add to the scenario").click()
    page.wait_for_function("document.querySelector('textarea').value.includes('price')")
    page.get_by_label("seed").fill("7")
    page.get_by_label("keep it as").fill("a sale")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("progressbar").wait_for()
    page.get_by_role("heading", name="What it changes").wait_for()
    with page.expect_download() as begun:
        page.get_by_role("button", name="The whole answer as JSON").click()
    begun.value.save_as(tmp_path / "answer.json")
    theirs = _command(run, run.scenarios / "a sale.yaml")
    assert json.loads((tmp_path / "answer.json").read_text()) == theirs
    assert theirs["seed"] == 7
    assert theirs["with"]["price_mean"] < theirs["without"]["price_mean"]
    assert page.locator("figure svg").count() >= 1
    assert seen.wrong == []


def test_a_mistake_in_a_scenario_is_shown_and_the_page_goes_on(browser: Any, served: Served) -> None:
    seen = Seen(browser)
    page = seen.page
    page.goto(served.address + "/scenario")
    page.get_by_label("scenario", exact=True).fill("cost:\n  multplier: 2\n")
    page.get_by_label("keep it as").fill("wrong")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("alert").wait_for()
    said = page.get_by_role("alert").inner_text()
    assert "line 2: cost.multplier: no such field (did you mean multiplier?)" in said
    page.get_by_label("keep it as").fill("../outside")
    page.get_by_role("button", name="Run").click()
    page.get_by_text("expected a name of letters").wait_for()
    page.get_by_label("multiplier").fill("cheap")
    page.get_by_role("button", name="Add to the scenario").click()
    page.get_by_text("multiplier: expected a number").wait_for()
    assert seen.wrong == []


def test_a_run_is_cancelled_at_once(browser: Any, served: Served) -> None:
    seen = Seen(browser)
    page = seen.page
    page.goto(served.address + "/scenario")
    page.get_by_label("scenario", exact=True).fill("episodes: 10000\ncost: 1.05\n")
    page.get_by_label("keep it as").fill("long")
    page.get_by_role("button", name="Run").click()
    page.get_by_text(re.compile("simulate with and without")).wait_for()
    asked = time.monotonic()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled after").wait_for()
    assert time.monotonic() - asked < 5
    assert seen.wrong == []


def test_decisions_are_proposed_approved_changed_and_rejected(
    browser: Any, served: Served, run: Home
) -> None:
    assert run.run is not None
    seen = Seen(browser)
    page = seen.page
    page.goto(served.address + "/decisions")
    page.get_by_role("button", name="Propose for the coming period").click()
    page.get_by_role("heading", name="Sheet 1, for").wait_for()
    first, second, third = (page.locator("section.decision").nth(k) for k in range(3))
    first.get_by_role("button", name="Approve").click()
    first.get_by_text("Decided: released.").wait_for()
    second.get_by_label("price").fill("2.22")
    second.get_by_role("button", name="Change").click()
    page.get_by_text("reason: expected why the decision is changed, found none").wait_for()
    page.get_by_role("button", name="close").click()
    second.get_by_label("reason").fill("as the neighbours")
    second.get_by_role("button", name="Change").click()
    second.get_by_text("Decided: released.").wait_for()
    third.get_by_label("reason").fill("a campaign")
    third.get_by_role("button", name="Reject").click()
    third.get_by_text("Decided: rejected.").wait_for()
    page.get_by_text("All 4 entries hold").wait_for()
    command = [sys.executable, "-m", "mercato.app.cli", "service", "released", str(run.run), "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    released = json.loads(told.stdout)
    assert [row["source"] for row in released] == ["approved", "changed"]
    assert released[1]["price"] == 2.22
    assert seen.wrong == []


def test_keys_are_enough(browser: Any, served: Served) -> None:
    seen = Seen(browser)
    page = seen.page
    page.goto(served.address)
    page.get_by_text("Trust it for", exact=True).wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    reached = []
    for _ in VIEWS:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent"))
    assert reached == [view.title for view in VIEWS]
    page.keyboard.press("Tab")
    with page.expect_download() as begun:
        page.keyboard.press("Enter")
    assert begun.value.suggested_filename == "own-elasticity-by-item.csv"


def test_with_a_token_the_page_asks_once(browser: Any, run: Home) -> None:
    page = Served(run.market, "--token", "a-token-of-some-length")
    try:
        assert page.address.endswith("/?token=a-token-of-some-length")
        bare = page.address.partition("?")[0]
        seen = Seen(browser).page
        assert seen.goto(bare).status == 401
        seen.get_by_label("Token").fill("a-token-of-another-sort")
        seen.keyboard.press("Enter")
        seen.get_by_text("That is not the token.").wait_for()
        seen.get_by_label("Token").fill("a-token-of-some-length")
        seen.keyboard.press("Enter")
        seen.get_by_role("heading", name="Market card", level=1).wait_for()
        assert seen.url == bare
        seen.get_by_role("link", name="Policies").click()
        seen.get_by_role("heading", name="Policies", level=1).wait_for()
        seen.get_by_role("button", name="Compare the policies").wait_for()  # over the socket, with the cookie
    finally:
        page.end()


def test_without_a_market_the_page_offers_to_make_the_demo(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "mercato.app.cli", "ui", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        seen = Seen(browser).page
        seen.goto(process.stderr.readline().strip())
        seen.get_by_role("heading", name="No market yet").wait_for()
        assert seen.get_by_role("button", name="Make the demo").is_enabled()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


SMALL_DEMO = """
import sys
from dataclasses import replace
from mercato.agents.tuning import Trials
from mercato.app import cli, demo, run
from mercato.envs.structural import Size
from tests.app.test_run import TINY

whole, few = Trials.of, {"volume": 1000, "periods": 8, "rounds": 1}
Trials.of = lambda market, settings, seed: whole(market, replace(settings, **few), seed)
run.rehearsal = lambda: replace(TINY, forecast=False)
demo.MADE = {name: replace(made, size=Size(2, 3, 45)) for name, made in demo.MADE.items()}
sys.argv = ["mercato", "demo", *sys.argv[1:], "--data", "reference"]
cli.main()
"""
PAGE_WITH_SMALL_DEMO = """
import sys
from mercato.app import cli
from mercato.app.page import demo

demo.COMMAND = (sys.executable, "small_demo.py")
if __name__ == "__main__":  # not in the processes that it begins
    sys.argv = ["mercato", "ui", "--port", "0"]
    cli.main()
"""


def test_the_demo_is_made_from_the_page_and_its_views_follow(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pressed, cancelled, pressed again, and seen through; on a small market instead of eleven juices."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small_demo.py").write_text(SMALL_DEMO)
    (tmp_path / "page.py").write_text(PAGE_WITH_SMALL_DEMO)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    process = subprocess.Popen([sys.executable, "page.py"], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        seen, address = Seen(browser), process.stderr.readline().strip()
        page = seen.page
        page.set_default_timeout(MAKING)
        page.goto(address)
        rehearse, cancel = (page.get_by_role("button", name=name) for name in ("A quick rehearsal", "Cancel"))
        rehearse.click()
        page.get_by_text("learn how").first.wait_for()
        assert rehearse.is_disabled()
        cancel.click()
        page.get_by_text("Cancelled. Begun again, it goes on where it was.").wait_for()
        assert not (tmp_path / "runs" / "demo").exists()
        rehearse.click()
        page.get_by_text("At work since").wait_for()
        page.reload()  # it goes on, whoever looks
        page.get_by_role("heading", name="No card yet").wait_for()
        page.get_by_role("link", name="Price response").click()
        page.locator("figure svg text").first.wait_for()
        page.get_by_role("link", name="Policies").click()
        page.get_by_role("heading", name="Side by side").wait_for()
        page.locator("figure svg text").first.wait_for()
        page.get_by_role("link", name="Scenarios").click()
        page.get_by_label("scenario", exact=True).fill("episodes: 2\nhorizon: 4\ncost: 1.05\n")
        page.get_by_role("button", name="Run").click()
        page.get_by_role("heading", name="What it changes").wait_for()
        page.get_by_role("link", name="Forecast").click()
        page.get_by_text("Forecast by item").wait_for()
        assert seen.wrong == []
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said


def test_the_demo_ends_with_the_page(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "mercato.app.cli", "ui", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    seen = Seen(browser).page
    seen.goto(process.stderr.readline().strip())
    seen.get_by_role("button", name="Make the demo").click()
    seen.get_by_text("At work since").wait_for()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    making = [pid for pid in children if "demo" in Path(f"/proc/{pid}/cmdline").read_text().split("\0")]
    assert len(making) == 1
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert not Path(f"/proc/{making[0]}").exists()
