"""Who may do what: tokens with a role, and how much one caller may ask.

A token is 32 random bytes, so that one SHA-256 of it is all that needs to be kept: nobody can try them all.
Without any token only this machine is served, as an admin.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from dataclasses import dataclass, field
from hmac import compare_digest

from sqlalchemy import Connection, insert, select, update

from ...forecasters.errors import InputError
from . import audit
from .records import tokens
from .refusals import Conflict, Unknown

VIEWER, APPROVER, ADMIN = "viewer", "approver", "admin"
ROLES = (VIEWER, APPROVER, ADMIN)  # each may do what those before it may
_CALLERS = 10_000  # whose rates are remembered


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    name: str
    role: str

    def may(self, role: str) -> bool:
        """Whether the caller may do what takes a role."""
        return ROLES.index(self.role) >= ROLES.index(role)


HERE = Caller("this machine", ADMIN)


def add_token(connection: Connection, actor: str, name: str, role: str) -> str:
    """A new token, which is told this once and kept as a hash.

    Raises:
        InputError: no name, or no role.
        Conflict: the name has a token.
    """
    if role not in ROLES:
        raise InputError(f"role: expected one of {', '.join(ROLES)}, found {role!r:.40}")
    name = name.strip()
    if not 0 < len(name) <= 100:
        raise InputError(f"name: expected 1 to 100 characters, found {len(name)}")
    if name == HERE.name:
        raise InputError(f"name: expected another than {name!r}, by which whoever has no token is known")
    if connection.execute(select(tokens.c.id).where(tokens.c.name == name)).one_or_none():
        raise Conflict(f"name: expected a new one, found {name!r} has had a token")
    token, at = secrets.token_urlsafe(32), audit.now()
    row = {"name": name, "role": role, "hash": _hashed(token)}
    connection.execute(insert(tokens), {**row, "added_at": at})
    audit.record(connection, actor, "token", row, at)
    return token


def revoke_token(connection: Connection, actor: str, name: str) -> None:
    """End a token.

    Raises:
        Unknown: there is none of that name that holds.
    """
    name, at = name.strip(), audit.now()
    where = (tokens.c.name == name, tokens.c.revoked_at.is_(None))
    if connection.execute(update(tokens).where(*where).values(revoked_at=at)).rowcount == 0:
        raise Unknown(f"token: expected the name of one that holds, found {name!r:.60}")
    audit.record(connection, actor, "revoke", {"name": name}, at)


def any_token(connection: Connection) -> bool:
    """Whether there is a token that holds."""
    return connection.execute(select(tokens.c.id).where(tokens.c.revoked_at.is_(None))).first() is not None


def caller_of(connection: Connection, token: str) -> Caller | None:
    """Whose token it is; None where it is nobody's.

    It is looked up by its hash, of which a guess tells nothing, and compared in constant time.
    """
    hashed = _hashed(token)
    row = connection.execute(
        select(tokens.c.name, tokens.c.role, tokens.c.hash).where(
            tokens.c.hash == hashed, tokens.c.revoked_at.is_(None)
        )
    ).one_or_none()
    if row is None or not compare_digest(row.hash, hashed):
        return None
    return Caller(row.name, row.role)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass
class Rates:
    """A bucket of requests a caller, which fills at a steady rate (a token bucket)."""

    each_second: float
    burst: int
    _left: dict[str, tuple[float, float]] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)  # requests are heard in many threads

    def allow(self, caller: str) -> float:
        """0 if the caller may go on, else the seconds to wait."""
        with self._turn:
            return self._allow(caller, time.monotonic())

    def _allow(self, caller: str, now: float) -> float:
        left, then = self._left.pop(caller, (float(self.burst), now))
        left = min(float(self.burst), left + (now - then) * self.each_second)
        while len(self._left) >= _CALLERS:  # the one that was not heard of for longest
            self._left.pop(next(iter(self._left)))
        self._left[caller] = (left - 1.0 if left >= 1 else left, now)
        return 0.0 if left >= 1 else (1.0 - left) / self.each_second
