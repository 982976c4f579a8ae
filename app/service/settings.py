"""What a shop asks of its service: one typed file, ``service.yaml`` in the run's folder."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from ...envs.settings_file import Settings, read_settings

FILE = "service.yaml"


class Smoothing(Settings):
    """How far prices may move in one period, whatever earns more."""

    largest_change: float | None = Field(None, gt=0, le=100, description="share of the last price")
    dead_band: float = Field(0.002, ge=0, le=1, description="moves smaller than this share are not made")
    settle: int = Field(
        0, ge=0, le=1000, description="periods within which a price does not move back the way it came"
    )


class Anomaly(Settings):
    """What holds a proposal back until a person has looked at it."""

    outside_support: bool = Field(True, description="prices that the data say nothing of")
    units_factor: float | None = Field(
        1.5, gt=1, description="expected units so many times the most or the fewest of the last year"
    )
    order_cover: float | None = Field(
        None, gt=0, description="orders of more than so many periods of expected units"
    )


class Limits(Settings):
    """What one caller may ask of the service."""

    requests: float = Field(200.0, gt=0, description="a second and caller, on average")
    burst: int = Field(400, ge=1, description="requests at once and caller")
    body: int = Field(32 * 2**20, ge=1024, description="bytes of a request")
    rows: int = Field(200_000, ge=1, description="rows of a table in a request")
    episodes: int = Field(64, ge=2, description="of a scenario, at most")


class ServiceSettings(Settings):
    """All of it."""

    policy: str | None = Field(
        None,
        description="who decides: a file of the run's policies without its ending; its best if not given",
    )
    smoothing: Smoothing = Smoothing()
    anomaly: Anomaly = Anomaly()
    limits: Limits = Limits()


def read_service(folder: Path) -> ServiceSettings:
    """The settings of a run's service; what is usual where it has no file.

    Raises:
        InputError: the file is unreadable, or a field is unknown or out of range.
    """
    path = folder / FILE
    if not path.is_file():
        return ServiceSettings()
    fields = f"fields are {', '.join(ServiceSettings.model_fields)}"
    return read_settings(path, "service", ServiceSettings, "of fields to values", fields)
