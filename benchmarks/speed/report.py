"""The result as Markdown tables, the figures to reach first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]
_HEAD = "case | series | threads | series-steps/s | µs a series-step"
_BUSY = "of the processor | a second of one busy thread"


def tables(result: dict[str, Any]) -> list[str]:
    """One table a part and device; a device that is not there says so."""
    found = [_markdown("figure | to reach | measured", list(_figures(result)))]
    for device in ("cpu", "cuda"):
        part = result[device]
        if isinstance(part, str):
            found.append(part)
            continue
        for name, table in _TABLES.items():
            if name in part:
                found.append(f"{device}, {name}\n\n" + table(part[name]))
    return [*found, result["not played"]]


def _figures(result: dict[str, Any]) -> Iterator[str]:
    cpu = result["cpu"]
    for device in ("cpu", "cuda"):
        part = result[device]
        if isinstance(part, str):
            yield f"{device} | | {part}"
            continue
        if "engine" in part:
            best = max((row for row in part["engine"] if not _named(row, "binomial")), key=_rate)
            yield f"{device}: engine, {best['name']} | 30 M on one thread of a CPU | {_shown(best)}"
        for key, what in (("demo", "60% of the bound on a CPU, 50% on a GPU"), ("small", "250 k on 2 cores")):
            steps = [row for row in part.get("transformer", []) if row["market"] == key and _is_step(row)]
            if steps:
                best = max(steps, key=_rate)
                yield f"{device}: engine, {best['name']} | {what} | {_shown(best)}, {best['of_bound']:.0%}"
        by_name = {row["name"]: row for row in part.get("learners", [])}
        if by_name:
            times = by_name["PPO"]["rate"] / by_name["stock PPO, Gymnasium envs"]["rate"]
            yield f"{device}: PPO | 100 k on 2 cores, 20 × stock | {_shown(by_name['PPO'])}, {times:.1f} ×"
    others = [row for row in cpu.get("peers", []) if row["rate"] and row["package"] != "mercato"]
    if others:
        best = max(others, key=_rate)
        yield f"cpu: the fastest peer, {best['name']} | below the demo's Transformer | {_shown(best)}"


def _is_step(row: Row) -> bool:
    return row["name"].rsplit(", ", 1)[-1] in ("eager", "compiled")


def _named(row: Row, word: str) -> bool:
    return word in row["name"]


def _rate(row: Row) -> float:
    return row["rate"]


def _shown(row: Row) -> str:
    return f"{row['rate']:,.0f} [{row['lowest']:,.0f} … {row['highest']:,.0f}]"


def _steps(rows: list[Row]) -> str:
    return _markdown(f"{_HEAD} | {_BUSY}", [f"{_cells(x)} | {_busy(x)}" for x in rows])


def _bounded(rows: list[Row]) -> str:
    body = [f"{_cells(x)} | {x['of_bound']:.0%} | {_busy(x)}" for x in rows]
    return _markdown(f"{_HEAD} | of the bound | {_BUSY}", body)


def _cells(row: Row) -> str:
    return f"{row['name']} | {row['series']:,} | {row['threads']} | {_shown(row)} | {1e6 / row['rate']:.3g}"


def _busy(row: Row) -> str:
    """The share of the processor that was had, and the rate for a second of one thread of it."""
    return f"{row['share']:.0%} | {row['rate'] / row['share'] / row['threads']:,.0f}"


def _learners(rows: list[Row]) -> str:
    return _markdown(
        "learner | series | series-steps/s | collection alone | update alone",
        [
            f"{x['name']} | {x['series']:,} | {_shown(x)} | {x['collection']:,.0f} | {x['update']:,.0f}"
            for x in rows
        ],
    )


def _peers(rows: list[Row]) -> str:
    return _markdown(
        "simulator | threads | item-decisions/s",
        [
            f"{x['name']} | – | not measured: {x['missing']}"
            if x["rate"] is None
            else f"{x['name']} | {x['threads']} | {_shown(x)}"
            for x in rows
        ],
    )


def _series(rows: list[Row]) -> str:
    return _markdown(
        "market | series | series-steps/s | cost beside the first",
        [f"{x['name']} | {x['series']:,} | {_shown(x)} | {x['cost']:.2f}" for x in rows],
    )


def _streaming(rows: list[Row]) -> str:
    return _markdown(
        "market | series | parts played | series-steps/s | seconds, beginnings included | of the whole, s",
        [
            f"{x['name']} | {x['series']:,} | {x['parts']:,} | {x['rate']:,.0f} | {x['seconds']:,.1f}"
            f" | {x['whole']:,.0f}"
            for x in rows
        ],
    )


def _memory(rows: list[Row]) -> str:
    return _markdown(
        "case | series | peak, MB | of it keys and values, MB | bytes a series",
        [
            f"{x['name']} | {x['series']:,} | {x['peak'] / 1e6:,.0f} | {x['cache'] / 1e6:,.0f}"
            f" | {x['peak_a_series']:,.0f}"
            for x in rows
        ],
    )


def _markdown(head: str, body: list[str]) -> str:
    rule = "|".join("---" for _ in head.split("|"))
    return "\n".join([f"| {head} |", f"|{rule}|", *(f"| {line} |" for line in body)])


_TABLES = {
    "engine": _steps,
    "transformer": _bounded,
    "learners": _learners,
    "peers": _peers,
    "growth by markets": _steps,
    "growth by series": _series,
    "streaming": _streaming,
    "memory": _memory,
}
