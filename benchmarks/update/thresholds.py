"""Thresholds of the sequential tests, by simulation: ``python -m benchmarks.update.thresholds``.

Of gathered evidence, by tails and rate of alarms a period, for ``forecasters.drift.sequential``.
"""

from __future__ import annotations

import numpy as np

from mercato.forecasters.drift.sequential import RATES, TAILS, crossings, e_values

_STREAMS, _PERIODS, _WARM = 1000, 4000, 100
_STEPS = 12  # of a bisection


def threshold(e: np.ndarray, rate: float) -> float:
    """Where streams of e-values (T, K, J) alarm ``rate`` times a period, once warm."""
    low, high = 1.0, 1 / rate
    for _ in range(_STEPS):
        middle = (low * high) ** 0.5
        alarms = sum(one.at >= _WARM for one in crossings(e, middle))
        often = alarms / ((len(e) - _WARM) * e.shape[1])
        low, high = (middle, high) if often > rate else (low, middle)
    return (low * high) ** 0.5


def main() -> None:
    rng = np.random.default_rng(0)
    for tails in TAILS:
        z = rng.standard_t(tails, (_PERIODS, _STREAMS)).astype(np.float32) / (tails / (tails - 2)) ** 0.5
        e = e_values(z, tails).astype(np.float32)
        told = ", ".join(f"{threshold(e, rate):.4g}" for rate in RATES)
        print(f"    {tails}: ({told}),", flush=True)


if __name__ == "__main__":
    main()
