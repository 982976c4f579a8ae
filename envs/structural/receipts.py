"""The event log of a true market of individuals: who came when, and what each of them bought."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from .channels import ChannelDemand
from .leaving import LeavingDemand
from .retailer import history_key
from .truth import Truth

_OPENS, _OPEN = 8 * 3600, 12 * 3600  # seconds after midnight, and of the day


def events_file(panel: str | Path) -> Path:
    """Where the events of a panel file lie: FILE.events.parquet beside FILE.parquet."""
    return Path(panel).with_suffix(".events.parquet")


def receipts(truth: Truth, seed: int) -> pd.DataFrame:
    """What happened in the history that ``seed`` made, as events in the contract: a ``visit`` a customer and
    week, at a moment of it, and a ``buy`` for each item that he then bought, at the price of the week.

    The units sold of an item fall to its visitors by their tastes. A new customer in a place has a new name.

    Raises:
        TypeError: a market without individuals.
    """
    demand, history = truth.demand, truth.history
    if not isinstance(demand, LeavingDemand):
        raise TypeError(f"expected a market of individuals, found {type(demand).__name__}")
    rng = np.random.default_rng([seed, 6])
    generation = _generation(demand.realised.present.numpy() > 0)
    weeks = [_week(demand, history, week, seed, rng) for week in range(len(history.price))]
    frame = pd.concat(weeks, ignore_index=True)
    places = np.array(demand.locations)
    number = generation[frame["week"], frame["place"], frame["customer"]]
    who = zip(demand.owner.numpy()[frame["place"]], frame["customer"], number, strict=True)
    start = truth.dates[frame["week"]].astype("datetime64[s]")
    told = pd.DataFrame(
        {
            "time": start + frame["moment"].to_numpy().astype("timedelta64[s]"),
            "customer": [f"{places[s]}/{c + 1:04d}-{g}" for s, c, g in who],
            "event": np.where(frame["item"] < 0, "visit", "buy"),
            "item": pd.Series(np.array([*demand.items, ""])[frame["item"]]).replace("", None),
            "location": places[frame["place"]],
            "units": frame["units"],
            "price": frame["price"].round(4),
        }
    )
    if isinstance(demand, ChannelDemand):
        told["channel"] = demand.channel[frame["place"]]
    return told.sort_values(["time", "customer"], kind="stable", ignore_index=True)


def _week(
    demand: LeavingDemand, history: object, week: int, seed: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Visits (item −1) and purchases of a week, by the numbers of places, customers and items."""
    state = demand.rows(torch.tensor([week]))
    came = demand.visitors(state, history_key(seed, week))[0].numpy()
    place, customer = np.nonzero(came)
    days = demand.shop.days
    moment = rng.integers(days, size=len(place)) * 86_400 + _OPENS + rng.integers(_OPEN, size=len(place))
    units = np.zeros((len(place), len(demand.items)), dtype=np.int64)
    taste = (demand.parameters.taste / demand.parameters.visit.unsqueeze(-1)).double().numpy()
    sales, price = (getattr(history, name)[week].double().numpy() for name in ("sales", "price"))
    for s in range(len(demand.locations)):
        mine = np.flatnonzero(place == s)
        likes = taste[s, customer[mine]]  # (V, I)
        for i in range(len(demand.items)):
            if len(mine) and sales[s, i] > 0:
                units[mine, i] = rng.multinomial(int(sales[s, i]), likes[:, i] / likes[:, i].sum())
    visit, item = np.nonzero(units)
    rows = np.concatenate([np.arange(len(place)), visit])
    what = np.concatenate([np.full(len(place), -1), item])
    return pd.DataFrame(
        {
            "week": week,
            "place": place[rows],
            "customer": customer[rows],
            "moment": moment[rows],
            "item": what,
            "units": np.where(what < 0, np.nan, units[rows, what]),
            "price": np.where(what < 0, np.nan, price[place[rows], what]),
        }
    )


def _generation(present: np.ndarray) -> np.ndarray:
    """(T, S, C) how many customers have had the place, the present one included."""
    arrives = present & ~np.concatenate([np.zeros_like(present[:1]), present[:-1]])
    return np.cumsum(arrives, axis=0)
