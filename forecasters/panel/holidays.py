"""Public holidays as a column: the one calendar that is known years ahead wherever a shop stands."""

from __future__ import annotations

import numpy as np

from ..errors import InputError

NAME = "public_holidays"  # of the column


def holiday_days(country: str, starts: np.ndarray, end: np.datetime64) -> np.ndarray:
    """(T,) public holidays within each period.

    Args:
        country: ISO 3166 code of a country, or with a dash of a part of one: ``DE``, ``US-NY``.
        starts: (T,) datetime64[D], first day of each period, ascending.
        end: first day after the last period.

    Raises:
        InputError: the code is not one that the calendars know.
    """
    from holidays import country_holidays  # half a second

    nation, _, part = country.strip().upper().partition("-")
    years = range(int(str(starts[0])[:4]), int(str(end)[:4]) + 1)
    try:
        days = country_holidays(nation, subdiv=part or None, years=years)
    except NotImplementedError:
        raise InputError(
            f"holidays: expected the ISO code of a country, or of a part of it (DE, US-NY), found {country!r}"
        ) from None
    dates = np.sort(np.array(list(days), dtype="datetime64[D]"))
    edges = np.searchsorted(dates, np.append(starts, end))
    return np.diff(edges).astype(np.float32)
