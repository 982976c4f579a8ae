"""A PostgreSQL server for tests: Debian's own, in a temporary folder, reached by a socket there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_PLACES = "/usr/lib/postgresql"
_ACCOUNTS = ("postgres", "nobody")  # as whom it runs where we are root, which it refuses


def missing() -> str:
    """Why there can be no server here; nothing where there can."""
    if _program("initdb") is None or _program("pg_ctl") is None:
        return f"no initdb and pg_ctl on PATH or in {_PLACES}/*/bin (Debian's package postgresql)"
    if os.geteuid() == 0 and (shutil.which("setpriv") is None or _account() is None):
        return "PostgreSQL refuses to run as root, and there is no setpriv or no account to run it as"
    return ""


@contextmanager
def server() -> Iterator[str]:
    """The address of a server, all of whose databases anybody here may make and drop."""
    with TemporaryDirectory(prefix="mercato-", dir="/tmp") as folder:  # a socket's path has to be short
        who: list[str] = []
        if os.geteuid() == 0:
            account = _account()
            shutil.chown(folder, account)
            who = ["setpriv", f"--reuid={account}", "--clear-groups"]
        data = f"{folder}/data"
        told = f"-c listen_addresses='' -k {folder} -c fsync=off -c max_connections=60"
        initdb, pg_ctl = str(_program("initdb")), str(_program("pg_ctl"))
        _run([*who, initdb, "-D", data, "-U", "shop", "-A", "trust", "-E", "UTF8", "--no-sync"], folder)
        _run([*who, pg_ctl, "-D", data, "-o", told, "-l", f"{folder}/log", "-w", "start"], folder)
        try:
            yield f"postgresql://shop@/postgres?host={folder}"
        finally:
            _run([*who, pg_ctl, "-D", data, "-m", "immediate", "-w", "stop"], folder)


def _run(command: list[str], folder: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.returncode == 0, done.stderr


def _program(name: str) -> Path | None:
    found = [*sorted(Path(_PLACES).glob(f"*/bin/{name}"), reverse=True), shutil.which(name)]
    return next((Path(path) for path in found if path is not None), None)


def _account() -> str | None:
    known = Path("/etc/passwd").read_text(encoding="utf-8")
    return next((name for name in _ACCOUNTS if f"\n{name}:" in known), None)
