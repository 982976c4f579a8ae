"""What the container files run, without a container engine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from mercato.app.cli import app

ROOT = Path(__file__).parents[3]


def _commands() -> list[list[str]]:
    image = (ROOT / "Dockerfile").read_text()
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return [
        json.loads(re.findall(r"^CMD (\[.*\])$", image, re.M)[0]),
        compose["services"]["service"]["command"],
    ]


def test_their_commands_are_the_service_of_a_run_that_asks_for_tokens(tmp_path: Path) -> None:
    for command in _commands():
        assert command[0] == "mercato"
        told = CliRunner().invoke(
            app, [tmp_path.name if part.startswith("/run/") else part for part in command[1:]]
        )
        assert told.exit_code == 2
        assert "expected the folder of a run or of a market" in told.output


def test_the_database_of_the_compose_file_is_one_that_the_service_takes() -> None:
    from mercato.app.service.database import _parsed

    compose: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    url = compose["services"]["service"]["environment"]["MERCATO_DATABASE"]
    database = compose["services"]["database"]["environment"]
    parsed = _parsed(url.replace("${POSTGRES_PASSWORD}", "word"))
    assert (parsed.username, parsed.database) == (database["POSTGRES_USER"], database["POSTGRES_DB"])
    assert parsed.host == "database"


def test_the_image_installs_what_the_project_declares() -> None:
    image = (ROOT / "Dockerfile").read_text()
    extras = re.findall(r"'\.\[(.*)\]'", image)[0].split(",")
    declared = (ROOT / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = \[", declared, re.M) for extra in extras)
    assert (ROOT / "constraints.txt").is_file()
