"""The command line as tests call it."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner

from mercato.app import cli


def mercato(*arguments: object) -> Any:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def result(*arguments: object) -> Any:
    """Standard output of a command that must succeed, which must be JSON and nothing else."""
    outcome = mercato(*arguments)
    assert outcome.exit_code == 0, outcome.stderr
    return json.loads(outcome.stdout)


def refused(*arguments: object) -> str:
    """The one line of a command that must fail as wrong use."""
    outcome = mercato(*arguments)
    assert outcome.exit_code == 2, outcome.output
    assert outcome.stdout == ""
    assert "Traceback" not in outcome.stderr
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert lines == outcome.stderr.strip().splitlines()[-1:]
    return lines[0]
