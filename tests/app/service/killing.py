"""Processes that decide at once over one database, and are killed: `python -m tests.app.service.killing`.

A program of its own, so that it forks before there is any thread, and each of its processes begins at once.
It prints what was acknowledged and what of it is not there.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, TextIO

from sqlalchemy import Connection, func, select

from mercato.app.service import ledger, records
from mercato.app.service.database import Database
from mercato.app.service.records import HELD, OPEN, PROPOSED
from mercato.app.service.verification import verify
from mercato.forecasters.errors import InputError
from tests.app.service.rows import SERIES, about, row

AT_ONCE = 2  # processes
_DAY = 60  # entries of the trail until the next date's round
_LONGEST = 0.5  # seconds until a kill
_OPENING = 0.2  # share of the kills that may come while a database is being opened
_MORE = 30  # acts after the last kill
_REASON = "because"

Told = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """What a process saw before it acted; the other may have acted since."""

    date: str
    open: list[int]
    killed: bool


def see(database: Database) -> Seen:
    with database.read() as connection:
        entries = connection.execute(select(records.head.c.seq)).scalar_one()
        asked = select(records.proposals.c.id).where(records.proposals.c.status.in_(OPEN))
        found = list(connection.execute(asked.order_by(records.proposals.c.id)).scalars())
        killed = ledger.killed(connection) is not None
    return Seen(f"2023-{1 + entries // _DAY // 28:02d}-{1 + entries // _DAY % 28:02d}", found, killed)


def propose(connection: Connection, actor: str, seen: Seen, chance: Random) -> Told:
    some = chance.sample(SERIES, chance.randint(1, len(SERIES)))
    rows = [row(*one, status=chance.choice([HELD, PROPOSED])) for one in some]
    sheet, filed, _ = ledger.file_sheet(connection, actor, about(seen.date), rows)
    return {"sheet": sheet, "count": len(filed), "actor": actor}


def approve(connection: Connection, actor: str, seen: Seen, chance: Random) -> Told:
    numbers = chance.sample(seen.open, min(len(seen.open), chance.randint(1, 4)))
    ledger.approve(connection, actor, numbers, _REASON)
    return {"released": {number: [2.9, 24] for number in numbers}}


def change(connection: Connection, actor: str, seen: Seen, chance: Random) -> Told:
    number, price, order = chance.choice(seen.open), chance.randint(200, 400) / 100, chance.randint(0, 50)
    ledger.change(connection, actor, number, price, order, _REASON)
    return {"released": {number: [price, order]}}


def reject(connection: Connection, actor: str, seen: Seen, chance: Random) -> Told:
    number = chance.choice(seen.open)
    ledger.reject(connection, actor, [number], _REASON)
    return {"rejected": number}


def stop(connection: Connection, actor: str, seen: Seen, chance: Random) -> Told:
    ledger.kill(connection, actor, _REASON)
    return {"actor": actor}


def go_on(connection: Connection, actor: str, seen: Seen, chance: Random) -> Told:
    ledger.resume(connection, actor, _REASON)
    return {"actor": actor}


def repeat(connection: Connection, actor: str, seen: Seen, chance: Random) -> Told:
    ledger.release_last(connection, actor, seen.date)
    return {"actor": actor}


Act = Callable[[Connection, str, Seen, Random], Told]
_USUAL: tuple[Act, ...] = (propose, approve, approve, approve, change, reject)


def work(url: str, name: str, say: Callable[[Told], None]) -> None:
    """Decide at random for ever, and say what is done once it is."""
    chance, database = Random(name), Database(url)
    say({})  # it is open
    for count in itertools.count():
        seen, actor = see(database), f"{name}:{count}"
        acts: tuple[Act, ...] = (go_on, repeat) if seen.killed else _USUAL if seen.open else (propose,)
        act = stop if not seen.killed and chance.random() < 0.02 else chance.choice(acts)
        try:
            with database.write() as connection:
                told = act(connection, actor, seen, chance)
        except InputError:  # the other was first
            continue
        say(told)


@dataclass(frozen=True)
class Process:
    number: int
    said: TextIO  # a line for each thing that it acknowledges

    @classmethod
    def begin(cls, url: str, name: str) -> Process:
        heard, said = os.pipe()
        number = os.fork()
        if number == 0:
            try:
                os.close(heard)
                work(url, name, lambda told: os.write(said, (json.dumps(told) + "\n").encode()) and None)
            except BaseException:  # nothing of the parent's is run; what went wrong is shown
                traceback.print_exc()
            finally:
                os._exit(1)
        os.close(said)
        return cls(number, os.fdopen(heard))

    def kill(self) -> list[Told]:
        """End it at once; what it had acknowledged."""
        os.kill(self.number, signal.SIGKILL)
        _, status = os.waitpid(self.number, 0)
        if not os.WIFSIGNALED(status):
            raise SystemExit("a process ended by itself; see above")
        with self.said:
            return [json.loads(line) for line in self.said]


def lost(connection: Connection, told: Told) -> bool:
    """Whether something that was acknowledged is not there."""
    if "actor" in told:
        asked = select(records.audit.c.seq).where(records.audit.c.actor == told["actor"])
        if connection.execute(asked).one_or_none() is None:
            return True
    if "sheet" in told:
        filed = select(func.count()).where(records.proposals.c.sheet == told["sheet"])
        return bool(connection.execute(filed).scalar_one() != told["count"])
    for number, (price, order) in told.get("released", {}).items():
        asked_for = select(records.releases.c.price, records.releases.c.order)
        found = connection.execute(asked_for.where(records.releases.c.proposal == int(number))).all()
        if [tuple(one) for one in found] != [(price, order)]:
            return True
    if "rejected" in told:
        status = select(records.proposals.c.status).where(records.proposals.c.id == told["rejected"])
        return bool(connection.execute(status).scalar_one() != records.REJECTED)
    return False


def twice(connection: Connection) -> int:
    """Series that were released twice for a date."""
    told = (records.releases.c.date, records.releases.c.location, records.releases.c.item)
    return len(connection.execute(select(*told).group_by(*told).having(func.count() > 1)).all())


def main(url: str, kills: int, seed: int) -> Told:
    chance, names = Random(seed), (f"{seed}-{count}" for count in itertools.count())
    there = [Process.begin(url, next(names)) for _ in range(AT_ONCE)]  # all of whom find nothing yet
    acknowledged: list[Told] = []
    for _ in range(kills):
        if chance.random() > _OPENING:
            there[0].said.readline()
        time.sleep(chance.uniform(0, _LONGEST))
        acknowledged += there.pop(0).kill()
        there.append(Process.begin(url, next(names)))
    left = [json.loads(there[0].said.readline()) for _ in range(_MORE)]  # whoever is left goes on
    left += [told for process in there for told in process.kill()]
    database = Database(url)
    with database.read() as connection:
        found = verify(connection)
        return {
            "kills": kills + AT_ONCE,
            "acknowledged": sum(map(bool, (*acknowledged, *left))),
            "entries": found.entries,
            "fault": found.fault,
            "lost": [told for told in (*acknowledged, *left) if lost(connection, told)],
            "twice": twice(connection),
            "released": len(ledger.released(connection, None, 0, 10**6)),
        }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
