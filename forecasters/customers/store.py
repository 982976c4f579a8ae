"""A population on disk: tensors as safetensors, everything else as JSON."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..errors import InputError
from .population import Channels, Contagion, Leaving, MovedBy, Population, Switching

ABOUT, TENSORS = "customers.json", "customers.safetensors"
_FORMAT = 3
_TENSORS = tuple(f.name for f in fields(Population) if f.type == "Tensor")
_OF_CHANNELS = tuple(f.name for f in fields(Channels) if f.type == "Tensor")
_OF_CONTAGION = tuple(f.name for f in fields(Contagion) if f.type == "Tensor")


def save_population(population: Population, folder: Path) -> None:
    """Write ``customers.safetensors`` and ``customers.json`` into an existing folder."""
    tensors = {name: getattr(population, name) for name in _TENSORS}
    tensors["covariance"] = population.moved_by.covariance
    channels = population.channels
    if channels is not None:
        tensors |= {name: getattr(channels, name) for name in _OF_CHANNELS}
        tensors["switching"] = channels.moved_by.covariance
    contagion = population.contagion
    if contagion is not None:
        tensors |= {name: getattr(contagion, name) for name in _OF_CONTAGION}
    save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, folder / TENSORS)
    about: dict[str, Any] = {
        "format": _FORMAT,
        "locations": population.locations,
        "items": population.items,
        "segments": population.segments,
        "moved_by": _told(population.moved_by),
        "channels": None if channels is None else _told(channels.moved_by),
        "contagion": None if contagion is None else _told(contagion),
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=1))


def load_population(folder: Path) -> Population:
    """What ``save_population`` wrote.

    Raises:
        InputError: a file is absent, damaged or of another format.
    """
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        tensors: dict[str, torch.Tensor] = load_file(folder / TENSORS)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(
            f"{folder}: expected the customers of a market, found none that can be read ({error})"
        ) from None
    if about.get("format") != _FORMAT:
        raise InputError(
            f"{folder}: expected customers of format {_FORMAT}, found {about.get('format')!r}; fit them again"
        )
    fields_of: dict[str, Any] = {name: tensors[name] for name in _TENSORS}
    fields_of |= {name: tuple(about[name]) for name in ("locations", "items", "segments")}
    leaving = Leaving(**_read(about["moved_by"]), covariance=tensors["covariance"])
    channels = None
    if about["channels"] is not None:
        law = Switching(**_read(about["channels"]), covariance=tensors["switching"])
        channels = Channels(**{name: tensors[name] for name in _OF_CHANNELS}, moved_by=law)
    contagion = None
    if about["contagion"] is not None:
        whose: dict[str, Any] = {name: tensors[name] for name in _OF_CONTAGION}
        contagion = Contagion(**whose, **about["contagion"])
    return Population(**fields_of, moved_by=leaving, channels=channels, contagion=contagion)


def _told(law: MovedBy | Contagion) -> dict[str, Any]:
    return {f.name: getattr(law, f.name) for f in fields(law) if f.type != "Tensor"}


def _read(told: dict[str, Any]) -> dict[str, Any]:
    return told | {"assumed": tuple(told["assumed"])}
