"""The event log of a true market of individuals: who came when, and what each of them bought."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from .addressed import EVERY, AddressedDemand, Slates
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
    week, at a moment of it, and a ``buy`` for each item that he then bought, at the price of the week. Of
    those whom the shop addresses (``addressed``) also what each was shown or sent, or was not by the same
    chance (``units`` 0), and, at a customer's first visit, who told him.

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
            "event": frame["event"],
            "item": pd.Series(np.array([*demand.items, ""])[frame["item"]]).replace("", None),
            "location": places[frame["place"]],
            "units": frame["units"],
            "price": frame["price"].round(4),
        }
    )
    if isinstance(demand, ChannelDemand):
        told["channel"] = demand.channel[frame["place"]]
    if isinstance(demand, AddressedDemand):
        told = _addressed(told, frame, demand, truth, generation)
    return told.sort_values(["time", "customer"], kind="stable", ignore_index=True)


def effect_of_showing(truth: Truth, seed: int) -> float:
    """Times as many units of an item that a visitor buys for being shown it, in the history of ``seed``.

    A little less than the law's ``shown``, which multiplies his taste: visitors share what is sold.
    """
    demand, history = truth.demand, truth.history
    assert isinstance(demand, AddressedDemand)
    rng, total = np.random.default_rng([seed, 7]), np.zeros(2)
    for week in range(len(history.price)):
        came = demand.visitors(demand.rows(torch.tensor([week])), history_key(seed, week))[0].numpy()
        for s, sold in enumerate(history.sales[week].double().numpy()):
            likes = _tastes(demand)[s, came[s]]
            if len(likes):
                total += Slates.drawn(likes, rng).bought(likes, demand.parameters.shown, sold)
    return float(total[0] / total[1])


def _tastes(demand: LeavingDemand) -> np.ndarray:
    """(S, C, I) units of a visit, expected."""
    taste: np.ndarray = (demand.parameters.taste / demand.parameters.visit.unsqueeze(-1)).double().numpy()
    return taste


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
    taste = _tastes(demand)
    sales, price = (getattr(history, name)[week].double().numpy() for name in ("sales", "price"))
    shows = []
    for s in range(len(demand.locations)):
        mine = np.flatnonzero(place == s)
        likes = taste[s, customer[mine]]  # (V, I)
        if isinstance(demand, AddressedDemand) and demand.parameters.shown != 1 and len(mine):
            slates = Slates.drawn(likes, rng)
            likes = slates.lifted(likes, demand.parameters.shown)
            shows.append(_shows(slates, mine))
        for i in range(len(demand.items)):
            if len(mine) and sales[s, i] > 0:
                units[mine, i] = rng.multinomial(int(sales[s, i]), likes[:, i] / likes[:, i].sum())
    visit, item = np.nonzero(units)
    frame = pd.concat(
        [
            pd.DataFrame({"visit": np.arange(len(place)), "event": "visit", "item": -1}),
            *shows,
            pd.DataFrame(
                {
                    "visit": visit,
                    "event": "buy",
                    "item": item,
                    "units": units[visit, item],
                    "price": price[place[visit], item],
                }
            ),
        ],
        ignore_index=True,
    )
    at = frame.pop("visit").to_numpy()
    return frame.assign(week=week, place=place[at], customer=customer[at], moment=moment[at])


def _shows(slates: Slates, visit: np.ndarray) -> pd.DataFrame:
    """What visitors were shown, or were not by the same chance."""
    return pd.DataFrame(
        {
            "visit": np.repeat(visit, slates.item.shape[1]),
            "event": "recommend",
            "item": slates.item.ravel(),
            "units": slates.given.ravel() * 1.0,
            "propensity": slates.chance.ravel(),
        }
    )


def _addressed(
    told: pd.DataFrame,
    frame: pd.DataFrame,
    demand: AddressedDemand,
    truth: Truth,
    generation: np.ndarray,
) -> pd.DataFrame:
    """``told`` with propensities, who told whom at his first visit, and the coupons."""
    present, places = demand.realised.present.numpy() > 0, np.array(demand.locations)
    week, place, customer = (frame[name].to_numpy() for name in ("week", "place", "customer"))
    first = ~told.assign(order=week).sort_values("order", kind="stable").duplicated("customer").sort_index()
    friend = np.maximum(customer - 1, 0)
    tells = (customer % 2 == 1) & present[week, place, friend] & first.to_numpy()
    names = [
        f"{places[s]}/{c + 1:04d}-{g}" if named else None
        for s, c, g, named in zip(place, friend, generation[week, place, friend], tells, strict=True)
    ]
    told = told.assign(propensity=frame.get("propensity", np.nan), referrer=pd.Series(names, dtype=object))
    if not demand.parameters.coupon:
        return told
    begins = np.arange(EVERY, len(truth.dates), EVERY)
    at, s, c = np.nonzero(present[begins] & demand.tells().numpy())
    coupons = pd.DataFrame(
        {
            "time": truth.dates[begins[at]].astype("datetime64[s]"),
            "customer": [
                f"{places[x]}/{y + 1:04d}-{g}"
                for x, y, g in zip(s, c, generation[begins[at], s, c], strict=True)
            ],
            "event": "coupon",
            "location": places[s],
            "units": demand.realised.holds.numpy()[begins[at], s, c],
            "propensity": demand.parameters.coupon,
        }
    )
    return pd.concat([told, coupons], ignore_index=True)


def _generation(present: np.ndarray) -> np.ndarray:
    """(T, S, C) how many customers have had the place, the present one included."""
    arrives = present & ~np.concatenate([np.zeros_like(present[:1]), present[:-1]])
    return np.cumsum(arrives, axis=0)
