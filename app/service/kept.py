"""Types of columns: what every database can keep, and one line where somebody gives what none can.

SQLite keeps whatever it is given; PostgreSQL refuses text with a NUL in it, text beyond a column's length and
numbers beyond its 32 bits. So it is refused here, before either hears of it, in questions as in records.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, String, Text
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.types import TypeDecorator

from ...forecasters.errors import InputError

_LARGEST = 2**31 - 1


class Unkept(InputError, DontWrapMixin):
    """What no database keeps; SQLAlchemy lets it through as it is."""


def text(name: str, value: str, longest: int | None = None) -> str:
    """``value``, called ``name``, as text that can be kept.

    Raises:
        Unkept: it is longer, or holds what is no text.
    """
    if longest is not None and len(value) > longest:
        raise Unkept(f"{name}: expected at most {longest} characters, found {len(value)}")
    try:
        value.encode("utf-8")
        strange = "\0" if "\0" in value else ""
    except UnicodeEncodeError as error:
        strange = value[error.start]
    if strange:
        raise Unkept(f"{name}: expected text, found {strange!r} in it")
    return value


class Words(TypeDecorator[str]):
    """Text of at most ``longest`` characters."""

    impl, cache_ok = String, True

    def __init__(self, name: str, longest: int) -> None:
        super().__init__(longest)
        self.name, self.longest = name, longest

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else text(self.name, value, self.longest)


class Prose(TypeDecorator[str]):
    """Text of any length."""

    impl, cache_ok = Text, True

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else text(self.name, value)


class Whole(TypeDecorator[int]):
    """A whole number of 32 bits."""

    impl, cache_ok = Integer, True

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def process_bind_param(self, value: int | None, dialect: Any) -> int | None:
        if value is not None and not -_LARGEST <= value <= _LARGEST:
            raise Unkept(f"{self.name}: expected a whole number up to {_LARGEST}, found {value!r:.60}")
        return value
