"""What takes long to make and is the same for all processes of a run of the tests: made by one of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that ``make`` fills once a run of the tests, whichever process asks first.

    Each process has a copy of its own.
    """
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared-{name}"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            make(new := factory.mktemp(name))
            new.rename(shared)
    return Path(shutil.copytree(shared, factory.mktemp(name), dirs_exist_ok=True))
