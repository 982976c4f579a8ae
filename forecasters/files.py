"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

NEW = ".new-"
"""What names of files and folders under way have between ``.NAME`` and eight characters of their own."""


def replace_file(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a new file, which then takes the place of ``path`` at once.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}{NEW}", dir=path.parent)
    os.close(handle)
    new = Path(name)
    try:
        write(new)
        os.chmod(new, 0o666 & ~_umask())
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
