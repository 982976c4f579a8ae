"""What is refused though it is well put: it was decided otherwise, is not there, or has to wait."""

from __future__ import annotations

from ...forecasters.errors import InputError


class Conflict(InputError):
    """The request is right, but what it asks for has been decided otherwise."""


class Busy(Conflict):
    """Others were always first: the same is worth another try."""


class Killed(Conflict):
    """The kill switch is on."""


class Unknown(InputError):
    """The request names what is not there."""
