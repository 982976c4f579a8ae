"""A demand model on disk: tensors as safetensors, everything else as JSON. Nothing is ever unpickled."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from .anchor import Anchor
from .errors import InputError
from .experiments import Findings
from .identification import Elasticities
from .model import DemandModel, FitSettings
from .network import Base, TrainingSettings, TrunkSettings, loaded_network
from .response import Choice, PriceResponse
from .statistics import CommonShocks

_FORMAT = 11
_PLAIN = ("gap", "gap_error", "confounded")  # fields of Elasticities that are no tensors


def save_model(model: DemandModel, folder: Path) -> None:
    """Write ``model.safetensors`` and ``model.json`` into an existing folder."""
    tensors = {f"network.{k}": v for k, v in model.network.state_dict().items()}
    for name, part in (
        ("response", model.response),
        ("choice", model.response.choice),
        ("elasticities", model.elasticities),
        ("base", model.base),
        ("informed", model.informed),
        ("common_shocks", model.common_shocks),
    ):
        for field in fields(part):
            value = getattr(part, field.name)
            if isinstance(value, torch.Tensor):
                tensors[f"{name}.{field.name}"] = value
    tensors |= {name: getattr(model, name) for name in ("level", "reach")}
    if model.anchor is not None:
        tensors |= {"anchor.origins": model.anchor.origins, "anchor.drift": model.anchor.drift}
    if model.stepped is not None:
        tensors["stepped"] = model.stepped
    save_file(
        {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, folder / "model.safetensors"
    )
    about = {
        "format": _FORMAT,
        "locations": model.locations,
        "items": model.items,
        "settings": asdict(model.settings),
        "overfit": model.overfit,
        "found": {name: getattr(model.elasticities, name) for name in _PLAIN},
        "validation_loss": model.validation_loss,
        "fitted": model.fitted,
        **({} if model.test is None else {"test": model.test.to_json()}),
    }
    (folder / "model.json").write_text(json.dumps(about, indent=1))


def load_model(folder: Path) -> DemandModel:
    """Read what ``save_model`` wrote.

    Raises:
        InputError: a file is absent, damaged or of another format.
    """
    try:
        about = json.loads((folder / "model.json").read_text())
        tensors = load_file(folder / "model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(
            f"{folder}: expected a fitted market, found none that can be read ({error})"
        ) from None
    if about.get("format") != _FORMAT:
        raise InputError(
            f"{folder}: expected model format {_FORMAT}, found {about.get('format')!r}; fit it again"
        )
    settings = _settings(about["settings"])
    locations, items = tuple(about["locations"]), tuple(about["items"])
    weights = _part(tensors, "network")
    network = loaded_network(weights, 2 * settings.members, len(locations), len(items), settings.trunk)
    choice = Choice(**_part(tensors, "choice"))
    found = {f.name: None for f in fields(Elasticities)} | _part(tensors, "elasticities")
    found |= about["found"] | {"choice": choice}
    return DemandModel(
        locations,
        items,
        network.eval(),
        PriceResponse(**_part(tensors, "response"), choice=choice),
        tensors["level"],
        tensors["reach"],
        Base(**_part(tensors, "base")),
        Base(**_part(tensors, "informed")),
        CommonShocks(**_part(tensors, "common_shocks")),
        settings,
        Elasticities(**found),
        about["overfit"],
        about["validation_loss"],
        Anchor(**anchor) if (anchor := _part(tensors, "anchor")) else None,
        about.get("fitted"),
        tensors.get("stepped"),
        Findings.of_json(about["test"]) if "test" in about else None,
    )


def _part(tensors: dict[str, torch.Tensor], name: str) -> dict[str, Any]:
    return {k.split(".", 1)[1]: v for k, v in tensors.items() if k.startswith(name + ".")}


def _settings(data: dict[str, Any]) -> FitSettings:
    return FitSettings(
        TrunkSettings(**data["trunk"]),
        TrainingSettings(**data["training"]),
        data["members"],
        data["validation"],
    )
