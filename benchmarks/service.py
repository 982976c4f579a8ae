"""How fast decisions are served: ``python -m benchmarks.service --run runs/demo``.

A service is started on a copy of a run (``mercato demo`` makes one), and 20 clients ask it over HTTP for the
decisions of one shop each, at a steady rate: with assumed stock, which was worked out when the sales came in,
and with stock of their own, which is worked out for each. Then all series of the run are proposed at once,
and those of a chain of 100,000 series (random weights, as fast as if they were learned). Times are of the
clock; beside them stands what a request takes of a processor in the service, which other work on the machine
moves less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
import torch

from mercato.agents.baselines.myopic import MyopicPrice
from mercato.agents.baselines.orders import BaseStock
from mercato.agents.policy import Pair
from mercato.app.service import ledger
from mercato.app.service.database import Database, of_folder
from mercato.app.service.rounds import play
from mercato.app.service.settings import ServiceSettings
from mercato.app.standing import Standing
from mercato.forecasters.errors import InputError

from .record import resumed, write_result
from .speed.markets import untrained, without_stock_outs

CLIENTS, RATE = 20, 100.0  # clients, and requests a second of all together
SECONDS, QUICK_SECONDS = 20.0, 4.0
CHAIN, QUICK_CHAIN = (10_000, 10), (1000, 10)  # locations and items
PARTS = ("assumed stock", "own stock", "as fast as it goes", "all series", "chain")


def shop(run: Path, part: str, seconds: float) -> dict[str, Any]:
    """Decisions of one shop each over HTTP."""
    with serving(run) as (address, process):
        return asyncio.run(_asked(address, process, part, seconds))


async def _asked(address: str, process: int, part: str, seconds: float) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        everything = (await client.post("/v1/decisions", json={})).json()
        first = (await client.get("/v1/decisions", params={"limit": 10_000})).json()["decisions"]
        shops = sorted({row["location"] for row in first})
        if part == "all series":
            return await _all(client, everything, first)
        bodies = [_body(shop, first, part) for shop in shops]
        spent: list[float] = []
        pause = 0.0 if part == "as fast as it goes" else CLIENTS / RATE
        for body in bodies:  # what is worked out once is
            (await client.post("/v1/decisions", json=body)).raise_for_status()
        began, before = time.perf_counter(), _processor(process)
        await asyncio.gather(
            *(_client(client, bodies, number, pause, began + seconds, spent) for number in range(CLIENTS))
        )
        took = time.perf_counter() - began
    half, most = np.quantile(spent, [0.5, 0.99])
    worked = 1000 * (_processor(process) - before) / len(spent)
    return {
        **{"p50": half, "p99": most, "a second": len(spent) / took},
        **{"processor ms": worked, "requests": len(spent)},
    }


def _processor(process: int) -> float:
    """Seconds of a processor that a process has had (Linux)."""
    told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


async def _client(
    client: httpx.AsyncClient,
    bodies: Sequence[Mapping[str, Any]],
    number: int,
    pause: float,
    end: float,
    spent: list[float],
) -> None:
    """One client, which asks again ``pause`` seconds after it asked, for another shop each time."""
    await asyncio.sleep(pause * number / CLIENTS)
    turn = number
    while (began := time.perf_counter()) < end:
        answer = await client.post("/v1/decisions", json=bodies[turn % len(bodies)])
        answer.raise_for_status()
        spent.append(time.perf_counter() - began)
        turn += CLIENTS
        await asyncio.sleep(max(0.0, began + pause - time.perf_counter()))


def _body(shop: str, rows: Sequence[Mapping[str, Any]], part: str) -> dict[str, Any]:
    body: dict[str, Any] = {"locations": [shop]}
    if part == "own stock":
        items = [row["item"] for row in rows if row["location"] == shop]
        body["stock"] = [{"location": shop, "item": item, "on_hand": 20.0} for item in items]
    return body


async def _all(
    client: httpx.AsyncClient, everything: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Seconds to propose every series: with stock of their own, and again."""
    stock = [{"location": row["location"], "item": row["item"], "on_hand": 20.0} for row in rows]
    spent = {}
    for name, body in {"own stock": {"stock": stock}, "assumed stock": {}}.items():
        began = time.perf_counter()
        (await client.post("/v1/decisions", json=body)).raise_for_status()
        spent[name] = time.perf_counter() - began
    return {"series": everything["series"], **spent}


def chain(places: int, goods: int) -> dict[str, Any]:
    """Seconds and memory to propose every series of a large chain, filed in SQLite."""
    market, panel = untrained(places, goods), without_stock_outs(places, goods)
    began = time.perf_counter()
    standing = Standing.of(market, panel, None, 0)
    _ = standing.others, standing.usual
    read = time.perf_counter()
    policy = Pair("myopic price, base-stock", MyopicPrice(), BaseStock())
    done = play(standing, policy, ServiceSettings())
    with TemporaryDirectory() as folder:
        database = Database(of_folder(Path(folder)))
        about = dict.fromkeys(("market", "policy", "input", "currency"), "")
        gains = {name: getattr(done, name) for name in ("gain", "gain_lo", "gain_hi", "notes")}
        with database.write() as connection:
            ledger.file_sheet(
                connection,
                "benchmark",
                {"date": standing.date, **about, **gains, "steps": done.steps},
                done.rows,
            )
        database.close()
    ended = time.perf_counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"series": len(done.rows), "read": read - began, "propose": ended - read, "GiB": memory}


@contextmanager
def serving(run: Path) -> Iterator[tuple[str, int]]:
    """A service of a copy of a run, ready: its address and its process."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "run"
        shutil.copytree(run, copy, ignore=shutil.ignore_patterns("service.sqlite*", "page"))
        (copy / "service.yaml").write_text("limits:\n  requests: 100000\n  burst: 100000\n")
        command = [sys.executable, "-m", "mercato.app.cli", "serve", str(copy), "--port", "0"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            if not said.startswith("http"):
                raise InputError(f"--run: expected the folder of a run, found: {said.strip()}")
            address = said.split()[0]
            while httpx.get(f"{address}/ready", timeout=60).status_code != 200:
                time.sleep(0.5)
            yield address, process.pid
        finally:
            process.terminate()
            process.wait()


def measure(run: Path, quick: bool, parts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Each of some parts."""
    seconds = QUICK_SECONDS if quick else SECONDS
    how: dict[str, Callable[[], dict[str, Any]]] = {
        **{part: partial(shop, run, part, seconds) for part in PARTS[:4]},
        "chain": partial(chain, *(QUICK_CHAIN if quick else CHAIN)),
    }
    return (how[part]() for part in parts)


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """One row a part, in Markdown."""
    lines = ["| part | figures |", "|---|---|"]
    for part, found in rows.items():
        told = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
        lines.append(f"| {part} | {told} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, default=Path("runs/demo"), help="folder of a run")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    parser.add_argument("--quick", action="store_true", help="seconds of load, a smaller chain; not kept")
    arguments = parser.parse_args()
    if not (arguments.run / "market").is_dir():
        parser.error(
            f"--run: expected the folder of a run (mercato demo makes one), found none at {arguments.run}"
        )
    torch.set_num_threads(1)
    name = "service-quick" if arguments.quick else "service"
    pieces = resumed(name, arguments.parts, partial(measure, arguments.run, arguments.quick))
    result = dict(pieces)
    if not arguments.quick:
        print(f"wrote {write_result('service', {'parts': result})}", file=sys.stderr)
    print(json.dumps(result) if arguments.json else table(result))


if __name__ == "__main__":
    main()
