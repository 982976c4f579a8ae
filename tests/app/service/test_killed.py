"""kill -9 at any moment: what was acknowledged is there, nothing is released twice, and the trail holds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize("kills", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_a_kill_loses_nothing_and_does_nothing_twice(address: str, kills: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.app.service.killing", address, str(kills), "1"],
        capture_output=True,
        text=True,
        timeout=30 + 10 * kills,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(found)  # pytest -s shows it
    assert (found["fault"], found["lost"], found["twice"]) == ("", [], 0)
    assert found["kills"] >= kills
    assert found["acknowledged"] >= 30  # no kill leaves a lock that stops the others
    assert found["released"] > 0
