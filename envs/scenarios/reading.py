"""Scenarios from files, mappings and the catalogue; a mistake is one line that says where it is."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ValidationError

from ...forecasters.errors import InputError
from ...forecasters.names import meant
from ..market import Market
from ..processes.shopkeeper import Decides
from ..settings_file import Fault, Place, checked, dotted, first_fault, kind_of, nearest, plain_with_lines
from . import catalogue
from .plan import Plan
from .scenario import EFFECTS, Scenario, all_composed
from .writing import grid, in_fields

Source = Scenario | Mapping[str, Any] | str | Path
AnyScenario = Source | Sequence[Source]
"""A scenario, or several that apply at once, in order."""


@dataclass(frozen=True)
class Origin:
    """Where a scenario was written."""

    name: str = "scenario"
    lines: Mapping[Place, int] = field(default_factory=dict)  # of each place in the file
    was: Mapping[Place, Place] = field(default_factory=dict)  # place in the file of each place in the fields

    def error(self, fault: Fault) -> InputError:
        """The fault as one line, with the line of the file."""
        place = self._written(fault.place)
        line = next(
            (self.lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in self.lines), None
        )
        where = f"{self.name}, line {line}" if line is not None else self.name
        return InputError(f"{where}: {dotted(place)}: {fault.said}" if place else f"{where}: {fault.said}")

    def _written(self, place: Place) -> Place:
        for n in range(len(place), 0, -1):
            if place[:n] in self.was:
                return (*self.was[place[:n]], *place[n:])
        return place


@dataclass(frozen=True)
class Asked:
    """A scenario as it was asked for."""

    scenario: Scenario
    origins: Mapping[tuple[str, int], tuple[Origin, int]]  # of each effect, and its number there

    def plan(self, market: Market) -> Plan:
        """What it makes of a market.

        Raises:
            InputError: it names what the market lacks, or a time that is not the episode's.
        """
        try:
            return self.scenario.plan(market)
        except Fault as fault:
            raise self.error(fault) from None

    @property
    def where(self) -> str:
        """What an error calls it."""
        return next((origin.name for origin, _ in self.origins.values()), "scenario")

    def with_episodes(self, episodes: int) -> Asked:
        """The same with another number of episodes."""
        return replace(self, scenario=self.scenario.model_copy(update={"episodes": episodes}))

    def with_rivals(self, deciders: Mapping[str, Decides]) -> Asked:
        """The same with the policies of competitors, by name."""
        return replace(self, scenario=self.scenario.with_rivals(deciders))

    def error(self, fault: Fault) -> InputError:
        """A fault of the scenario as one line."""
        if fault.place[:2] not in self.origins:
            origins = [origin for origin, _ in self.origins.values()] or [Origin()]
            return origins[-1].error(fault)
        origin, number = self.origins[fault.place[:2]]  # type: ignore[index]
        return origin.error(Fault((fault.place[0], number, *fault.place[2:]), fault.said))


def read_scenario(source: AnyScenario) -> Scenario:
    """The one scenario of a file, a mapping, a name of the catalogue, or several of them at once.

    Raises:
        InputError: the file is absent, not YAML, a field is unknown or out of range, or holds several values.
    """
    found = read_scenarios(source)
    if len(found) > 1:
        raise InputError(f"scenario: expected one value a field, found {len(found)} combinations of values")
    return found[0].scenario


def read_scenarios(source: AnyScenario) -> list[Asked]:
    """The same, one scenario a combination of values where numbers are lists of them.

    Raises:
        InputError: as ``read_scenario``, or more combinations than anybody would read.
    """
    several = source if isinstance(source, Sequence) and not isinstance(source, str) else [source]
    grids = [_read(one) for one in several]
    if not grids:
        raise InputError("scenario: expected at least one, found an empty list")
    asked = [_together(parts) for parts in itertools.product(*grids)]
    if not any(True for _ in asked[0].scenario.effects()):
        name = next((grid[-1][1].name for grid in grids), "scenario")
        raise InputError(
            f"{name}: expected at least one effect, found none; effects are {', '.join(EFFECTS)}"
        )
    return asked


def _together(parts: Sequence[tuple[Scenario, Origin]]) -> Asked:
    origins: dict[tuple[str, int], tuple[Origin, int]] = {}
    count = dict.fromkeys(EFFECTS, 0)
    for scenario, origin in parts:
        for kind, number, _ in scenario.effects():
            origins[kind, count[kind]] = origin, number
            count[kind] += 1
    return Asked(all_composed([scenario for scenario, _ in parts]), origins)


def _read(source: Source) -> list[tuple[Scenario, Origin]]:
    if isinstance(source, Scenario):
        return [(source, Origin())]
    name, where = "scenario", dict[Place, int]()
    if isinstance(source, Mapping):
        data: Any = dict(source)
    elif isinstance(source, str | Path):
        path = _path(source)
        name = f"scenario file {path}"
        data, where = plain_with_lines(path, name)
    else:
        raise InputError(
            f"scenario: expected a path, a name or a mapping with effects, found {type(source).__name__}"
        )
    if not isinstance(data, dict):
        raise InputError(f"{name}: expected a mapping with effects, found {kind_of(data)}")
    was: dict[Place, Place] = {}
    try:
        fields, was = in_fields(checked(data))
        return [(_valid(one), Origin(name, where, was)) for one in grid(fields, NUMERIC)]
    except Fault as fault:
        raise Origin(name, where, was).error(fault) from None


def _valid(fields: dict[str, Any]) -> Scenario:
    """The scenario of fields; a fault of an unknown field says which there are."""
    for key in fields:
        if key not in Scenario.model_fields:
            known = ", ".join(Scenario.model_fields)
            raise Fault(
                (key,), f"no such field{nearest(key, tuple(Scenario.model_fields))}; fields are {known}"
            )
    for kind, model in EFFECTS.items():
        for number, entry in enumerate(fields.get(kind, ())):
            for key in entry if isinstance(entry, Mapping) else ():
                if key not in model.model_fields:
                    known = ", ".join(model.model_fields)
                    said = f"no such field{nearest(key, tuple(model.model_fields))}; {kind} has {known}"
                    raise Fault((kind, number, key), said)
    try:
        return Scenario.model_validate(fields)
    except ValidationError as error:
        raise first_fault(error, Scenario) from None


def _path(source: str | Path) -> Path:
    """The file of a path, or of a name in the catalogue."""
    path = Path(source)
    if path.exists() or path.suffix:
        return path
    ready = catalogue.names()
    if str(source) in ready:
        return catalogue.path(str(source))
    raise InputError(
        f"scenario: expected a file or one of {', '.join(ready)}, found {str(source)!r:.60}"
        f"{meant(str(source), ready)}"
    )


def _one_number(annotation: Any) -> bool:
    """Whether a field holds a number, or a number or nothing."""
    if get_origin(annotation) is Annotated:
        return _one_number(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return all(part is NoneType or _one_number(part) for part in get_args(annotation))
    return annotation in (float, int)


NUMERIC: dict[str, frozenset[str]] = {
    kind: frozenset(name for name, info in model.model_fields.items() if _one_number(info.annotation))
    for kind, model in EFFECTS.items()
}
"""The fields of each kind of effect that hold one number, and may be given several to try."""
