"""What a price does beyond a constant elasticity: candidates, and which of them a table supports.

Each candidate adds one coefficient an item to the second stage (``elasticity``):

- *curve*: the elasticity itself moves with the price, own·exp(c·shift);
- *chain*, *joint k*: a price moved, or promotion k run, at all locations at once does more, or less, than at
  one, where neighbours stay as they are and nothing is advertised;
- *sine*, *cosine*: the elasticity swings with the season of the year (Chevalier, Kashyap and Rossi 2003);
- *attribute k*: locations differ in how much they mind prices, by an attribute such as income;
- *recent*, *lasting*: past effects of price and promotion are paid back (stockpiling: Hendel and Nevo 2006,
  doi:10.1111/j.1468-0262.2006.00721.x) or remembered (reference price: Winer 1986, doi:10.1086/209064),
  with a short and a long carryover.

A candidate is kept where the items together show it (DerSimonian and Laird 1986,
doi:10.1016/0197-2456(86)90046-2); the items' coefficients are then shrunk to their common mean.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

TERMS = ("curve", "chain", "sine", "cosine", "recent", "lasting")
OPEN = {
    "curve": 4.0,
    "chain": 1.0,
    "joint": 1.0,
    "sine": 1.0,
    "cosine": 1.0,
    "recent": 0.5,
    "lasting": 0.5,
    "attribute": 1.0,
}
"""Spread of the prior under which a candidate is tested."""
SEASONAL = ("sine", "cosine")  # looked for where every time of the year was seen
MISLED = ("chain", "joint", "recent", "lasting")  # what a hidden shock that lasts would pass for
_CLEARLY = 3.0  # standard errors from zero at which a candidate is kept, were errors known
_SCATTERED = 4.0  # standard deviations of what chance scatters, where items have no reason to differ in sign
_SMALLEST = 0.05  # least spread of a kept candidate's prior, as a share of that under which it was tested


@dataclass(frozen=True)
class Pooled:
    """The distribution of one coefficient over items."""

    mean: float
    error: float  # standard error of the mean
    spread: float  # standard deviation between items, errors apart
    excess: float  # how far the items scatter around zero beyond their errors, in standard deviations
    blocks: int  # of periods, that the errors are known from


@dataclass(frozen=True)
class Estimates:
    """One coefficient of every item, with errors that items share because they met the same periods."""

    value: Tensor  # (I,)
    error: Tensor  # (I,) standard errors
    influence: Tensor  # (K, I) what each block of periods did to the values

    def __sub__(self, other: Estimates) -> Estimates:
        """The difference of two estimates from the same rows; its error as if they were independent."""
        error = (self.error.square() + other.error.square()).sqrt()
        return Estimates(self.value - other.value, error, self.influence - other.influence)

    def over(self, scale: Tensor) -> Estimates:
        """The coefficients divided by ``scale`` (I,)."""
        return Estimates(self.value / scale, self.error / scale.abs(), self.influence / scale)

    def covariance(self) -> Tensor:
        """(I, I) of the estimation errors: their correlation is that of the periods' influences."""
        unit = self.influence / self.influence.square().sum(0).clamp(min=1e-24).sqrt()
        return (unit.T @ unit) * self.error.unsqueeze(0) * self.error.unsqueeze(1)


def pool(found: Estimates) -> Pooled:
    """Mean and spread over items of their coefficients."""
    values, errors = found.value, found.error.clamp(min=1e-6)
    weight = errors.pow(-2)
    mean = (weight * values).sum() / weight.sum()
    q = (weight * (values - mean).square()).sum()
    slack = (weight.sum() - weight.square().sum() / weight.sum()).clamp(min=1e-12)
    between = ((q - (len(values) - 1)) / slack).clamp(min=0)
    weight = 1 / (errors.square() + between)
    weight = weight / weight.sum()
    error = (weight @ found.covariance() @ weight + (weight.square() * between).sum()).clamp(min=0).sqrt()
    scatter, unit = float((values / errors).square().mean()), 2 / (9 * len(values))
    excess = (scatter ** (1 / 3) - (1 - unit)) / unit**0.5  # Wilson and Hilferty 1931: χ² as a normal
    return Pooled(float(weight @ values), float(error), float(between.sqrt()), excess, len(found.influence))


def clear(name: str, found: Pooled) -> bool:
    """Whether the items together show candidate ``name``.

    Items may differ in sign, as seasons do. What is remembered of an effect takes from it.
    """
    clearly = student(_CLEARLY, found.blocks)
    if name in ("recent", "lasting"):
        return found.mean < -clearly * found.error
    scattered = found.excess > (clearly if name in SEASONAL else student(_SCATTERED, found.blocks))
    return abs(found.mean) > clearly * found.error or scattered


def student(z: float, blocks: int) -> float:
    """What as many standard errors as ``z`` are, where errors are known from some blocks of periods only.

    The quantile of Student's t (Abramowitz and Stegun 1964, 26.7.5, to second order).
    """
    free = max(1, blocks - 1)
    return z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)


def shrink(found: Estimates, to: Pooled) -> tuple[Tensor, Tensor]:
    """Posterior mean and error (I,) of each value under the pooled distribution."""
    trust = to.spread**2 / (to.spread**2 + found.error.square()).clamp(min=1e-12)
    mean = to.mean + trust * (found.value - to.mean)
    return mean, (trust * found.error.square() + (1 - trust).square() * to.error**2).sqrt()


def prior(name: str, found: Pooled) -> tuple[float, float]:
    """Centre and spread of the prior of a kept candidate's coefficients."""
    centre = found.mean if abs(found.mean) > 2 * found.error else 0.0
    return centre, max(found.spread, found.error, _SMALLEST * OPEN[name.split()[0]])
