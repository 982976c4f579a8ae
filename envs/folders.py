"""Folders that are replaced whole, and one writer at a time of a folder or a file.

Between any two steps of a replacement there is a whole folder under its name, the old one or the new.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..forecasters.errors import InputError
from ..forecasters.files import NEW

try:
    import fcntl
except ImportError:  # pragma: no cover (where there are no such locks, nobody is kept out)
    fcntl = None  # type: ignore[assignment]

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE (Linux renameat2)


@contextmanager
def sole_writer(*places: Path) -> Iterator[None]:
    """For as long as it lasts nobody else writes these folders or files; what a killed writer left beside
    them is removed.

    Raises:
        InputError: somebody else is at one of them.
    """
    with ExitStack() as held:
        for place in places:
            held.enter_context(_sole_writer(place))
        yield


@contextmanager
def _sole_writer(place: Path) -> Iterator[None]:
    place.parent.mkdir(parents=True, exist_ok=True)
    lock = place.parent / f".{place.name}.lock"
    handle = _locked(lock)
    if handle is None:
        raise InputError(f"{place}: expected to be its only writer, found that another process writes it")
    try:
        for left in place.parent.iterdir():
            if re.fullmatch(re.escape(f".{place.name}{NEW}") + r"\w{8}", left.name):
                if left.is_dir():
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.unlink(missing_ok=True)
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def _locked(path: Path) -> int | None:
    """A handle that holds the lock file's lock; None where somebody else does."""
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        if fcntl is None:
            return handle
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.stat(path).st_ino == os.fstat(handle).st_ino:
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except FileNotFoundError:
            pass
        os.close(handle)  # of a writer that has just ended


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a new folder, which then takes the place of ``folder`` at once."""
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}{NEW}", dir=folder.parent))
    try:
        write(new)
        os.chmod(new, 0o755)
        take_place(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def take_place(new: Path, folder: Path) -> None:
    """Let ``new``, a folder beside it, take the place of ``folder`` at once; what was there is removed."""
    if folder.exists():
        _exchange(new, folder)
        shutil.rmtree(new, ignore_errors=True)
    else:
        new.rename(folder)


def _exchange(new: Path, old: Path) -> None:
    """Let two folders change names, at once where the system can do that."""
    swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if swap is not None and swap(_HERE, os.fsencode(new), _HERE, os.fsencode(old), _EXCHANGE) == 0:
        return
    aside = new.with_name(f"{new.name}-old")
    old.rename(aside)
    try:
        new.rename(old)
    except BaseException:
        aside.rename(old)
        raise
    aside.rename(new)
