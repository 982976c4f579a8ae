"""What the service needs beyond mercato itself."""

from __future__ import annotations

from importlib.util import find_spec

from ...forecasters.errors import InputError

_NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "alembic", "prometheus_client")


def check() -> None:
    """Make sure that the extra is there.

    Raises:
        InputError: it is not.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(
            f"service: expected the extra service (pip install 'mercato[service]'), found no {missing[0]}"
        )
