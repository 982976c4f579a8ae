"""The count distribution of demand: negative binomial, with exact stock-out likelihood and keyed sampling.

Mean μ and dispersion r: variance μ + μ²/r. As a Gamma–Poisson mixture, D | G ~ Poisson(μ·G) with
G ~ Gamma(r, rate r), so that G is noise no price can reach.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LOG_R = (-4.6, 7.0, 96)  # grid of log dispersion for the gamma quantile table: 0.01 … 1097
_Z = (-5.6, 5.6, 225)  # grid of standard-normal quantiles
_SMALL = 12.0  # below this mean the Poisson quantile is summed exactly
_TERMS = 44  # P(Poisson(12) >= 44) < 1e-11, beyond the 24-bit uniforms


def nb_log_prob(count: Tensor, log_mean: Tensor, log_r: Tensor) -> Tensor:
    """log P(D = count); broadcasts. ``log_r`` is the log dispersion."""
    r = log_r.exp()
    log_total = torch.logaddexp(log_mean, log_r)
    return (
        torch.lgamma(count + r)
        - torch.lgamma(r)
        - torch.lgamma(count + 1)
        + r * (log_r - log_total)
        + count * (log_mean - log_total)
    )


def _betainc_fraction(a: Tensor, b: Tensor, x: Tensor) -> Tensor:
    """Continued fraction of the incomplete beta function by Lentz's method (DLMF 8.17.22)."""
    tiny = 1e-300
    c = torch.ones_like(x)
    d = 1 / (1 - (a + b) * x / (a + 1)).clamp(min=tiny)
    value = d.clone()
    for m in range(1, 121):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 + step * d
            d = 1 / torch.where(d.abs() < tiny, torch.full_like(d, tiny), d)
            c = 1 + step / c
            c = torch.where(c.abs() < tiny, torch.full_like(c, tiny), c)
            value = value * c * d
        if m % 15 == 0 and bool(((c * d - 1).abs() < 1e-13).all()):
            break
    return value


def log_betainc(a: Tensor, b: Tensor, x: Tensor) -> Tensor:
    """log of the regularised incomplete beta function I_x(a, b), float64, for a, b > 0 and 0 < x < 1."""
    a, b, x = torch.broadcast_tensors(a.double(), b.double(), x.double())
    swap = x > (a + 1) / (a + b + 2)
    p, q, y = torch.where(swap, b, a), torch.where(swap, a, b), torch.where(swap, 1 - x, x)
    log_front = (
        p * y.log() + q * torch.log1p(-y) - p.log() + torch.lgamma(p + q) - torch.lgamma(p) - torch.lgamma(q)
    )
    log_tail = log_front + _betainc_fraction(p, q, y).clamp(min=1e-300).log()
    return torch.where(swap, torch.log1p(-log_tail.exp().clamp(max=1 - 1e-15)), log_tail)


class _NegativeBinomialLogSurvival(torch.autograd.Function):
    """log P(D >= n): exact value, exact gradient in log μ, central difference in log r."""

    @staticmethod
    def forward(ctx, count: Tensor, log_mean: Tensor, log_r: Tensor) -> Tensor:
        n, m, r = (x.double() for x in torch.broadcast_tensors(count, log_mean, log_r))
        value = _survival(n, m, r)
        ctx.save_for_backward(n, m, r, value)
        ctx.dtypes = (log_mean.dtype, log_r.dtype)
        return value.to(log_mean.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor):
        n, m, r, value = ctx.saved_tensors
        by_mean = _survival_slope(n, m, r, value)
        step = 1e-4
        by_r = (_survival(n, m, r + step) - _survival(n, m, r - step)) / (2 * step)
        grad = grad.double()
        return None, (grad * by_mean).to(ctx.dtypes[0]), (grad * by_r).to(ctx.dtypes[1])


def _survival_slope(n: Tensor, log_mean: Tensor, log_r: Tensor, value: Tensor) -> Tensor:
    """d log P(D >= n) / d log μ: the derivative of I_x(n, r), x^n (1 - x)^r / B(n, r), x = μ / (μ + r)."""
    log_total = torch.logaddexp(log_mean, log_r)
    r = log_r.exp()
    log_beta = torch.lgamma(n) + torch.lgamma(r) - torch.lgamma(n + r)
    log_slope = n * (log_mean - log_total) + r * (log_r - log_total) - log_beta
    return torch.where(n > 0, (log_slope - value).exp(), 0.0)


def nb_survival_score(count: Tensor, log_mean: Tensor, log_r: Tensor) -> tuple[Tensor, Tensor]:
    """First and minus second derivative of ``nb_log_survival`` in log μ, float64."""
    n, m, r = (x.double() for x in torch.broadcast_tensors(count, log_mean, log_r))
    slope = _survival_slope(n, m, r, _survival(n, m, r))
    curvature = slope * (slope - n + (n + r.exp()) * torch.sigmoid(m - r))
    return slope, curvature.clamp(min=0)


def _survival(n: Tensor, log_mean: Tensor, log_r: Tensor) -> Tensor:
    x = torch.sigmoid(log_mean - log_r).clamp(1e-12, 1 - 1e-12)
    inside = log_betainc(n.clamp(min=0.5), log_r.exp(), x)
    return torch.where(n > 0, inside, torch.zeros_like(inside))


def nb_log_survival(count: Tensor, log_mean: Tensor, log_r: Tensor) -> Tensor:
    """log P(D >= count): what a stock-out says when ``count`` units were sold. 0 where count is 0."""
    return _NegativeBinomialLogSurvival.apply(count, log_mean, log_r)


def nb_log_cdf(count: Tensor, log_mean: Tensor, log_r: Tensor) -> Tensor:
    """log P(D <= count), float64."""
    x = torch.sigmoid(log_r - log_mean).double().clamp(1e-12, 1 - 1e-12)
    return log_betainc(log_r.double().exp(), count.double() + 1, x)


def nb_mixture_cdf(units: Tensor, log_mean: Tensor, log_r: Tensor, grain: Tensor) -> tuple[Tensor, Tensor]:
    """P(D < units) and P(D <= units) (…, I), float64, of an equal mixture with log means and dispersions
    (…, I, M); 0 below 0.

    ``grain`` (I,) units that a count stands for.
    """
    count = (units / grain + 1e-3).floor().unsqueeze(-1).double()
    law = count.clamp(min=0), (log_mean - grain.log().unsqueeze(-1)).double(), log_r.double()
    at = nb_log_cdf(*law).exp()
    below = (at - nb_log_prob(*law).exp()).clamp(min=0)
    return torch.where(count > 0, below, 0.0).mean(-1), torch.where(count < 0, 0.0, at).mean(-1)


def nb_mean_above(count: Tensor, log_mean: Tensor, log_r: Tensor) -> Tensor:
    """E[D | D >= count]: what customers wanted where stock ran out after ``count`` units.

    E[D; D >= n] = μ·P(D' >= n − 1) for D' negative binomial with dispersion r + 1 and mean μ(r + 1)/r.
    """
    log_more = torch.log1p(log_r.exp())
    above = _survival((count - 1).double(), (log_mean + log_more - log_r).double(), log_more.double())
    mean = (log_mean + above - _survival(count.double(), log_mean.double(), log_r.double())).exp().float()
    return torch.where(mean >= count, mean, count)  # beyond what can be told from impossible


_gamma_tables: dict[torch.device, Tensor] = {}  # a plain dictionary: compiled code can look into it


def gamma_table(device: torch.device) -> Tensor:
    """Quantiles of log G, G ~ Gamma(r, rate r), on the grid (log r, z), found once on each device."""
    if device not in _gamma_tables:
        _gamma_tables[device] = _bisected().to(device)
    return _gamma_tables[device]


def _bisected() -> Tensor:
    r = torch.linspace(*_LOG_R, dtype=torch.float64).exp().unsqueeze(1)
    z = torch.linspace(*_Z, dtype=torch.float64).unsqueeze(0)
    target = torch.special.ndtr(z)
    low = torch.full((r.shape[0], z.shape[1]), -700.0, dtype=torch.float64)
    high = torch.full_like(low, 7.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = torch.special.gammainc(r.expand_as(low), r * middle.exp()) < target
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return ((low + high) / 2).clamp(min=-60.0).float()


def gamma_noise(normal: Tensor, log_r: Tensor) -> Tensor:
    """G ~ Gamma(r, rate r) (mean 1) from its own standard normal: log-quantiles, interpolated bilinearly."""
    table = gamma_table(normal.device)
    low_r, high_r, rows = _LOG_R
    low_z, high_z, columns = _Z
    row = ((log_r - low_r) / (high_r - low_r) * (rows - 1)).clamp(0, rows - 1.001)
    column = ((normal - low_z) / (high_z - low_z) * (columns - 1)).clamp(0, columns - 1.001)
    i, j = row.nan_to_num().long(), column.nan_to_num().long()
    a, b = row - i, column - j  # what is no number stays none, and asks for no row that is not there
    flat = table.flatten()
    at = i * columns + j
    top = flat[at] * (1 - b) + flat[at + 1] * b
    bottom = flat[at + columns] * (1 - b) + flat[at + columns + 1] * b
    return (top * (1 - a) + bottom * a).exp()


def poisson_quantile(uniform: Tensor, mean: Tensor) -> Tensor:
    """Poisson quantile in a fixed number of operations, non-decreasing in ``mean`` for a fixed uniform.

    Summed exactly for small means; beyond, the normal expansion of Giles 2016 (Algorithm 955, eq. for Q_N2),
    never below the exact quantile at the border, which keeps it monotone there.
    """
    small = mean.clamp(max=_SMALL).unsqueeze(-1)
    ratio = small / torch.arange(1, _TERMS, dtype=mean.dtype, device=mean.device)
    terms = torch.cat([torch.ones_like(small), ratio], dim=-1).cumprod(-1) * (-small).exp()
    exact = (terms.cumsum(-1) < uniform.unsqueeze(-1)).sum(-1).to(mean.dtype)
    w = torch.special.ndtri(uniform)
    large = mean.clamp(min=_SMALL)
    root = large.sqrt()
    expansion = (large + root * w + 1 / 3 + w * w / 6 - (w / 36 + w**3 / 72) / root).floor()
    return torch.where(mean < _SMALL, exact, torch.maximum(expansion, exact))


def nb_sample(normal: Tensor, uniform: Tensor, log_mean: Tensor, log_r: Tensor) -> Tensor:
    """Counts from a standard normal (the gamma part) and a uniform (the Poisson part).

    The same two and a higher mean never give less.
    """
    return poisson_quantile(uniform, log_mean.exp() * gamma_noise(normal, log_r))


def row_log_likelihood(units: Tensor, bound: Tensor, log_mean: Tensor, log_r: Tensor) -> Tensor:
    """Log likelihood of sales; where ``bound`` (bool) they say only that demand was at least as much."""
    exact = nb_log_prob(units, log_mean, log_r)
    if not bool(bound.any()):
        return exact
    result = exact.masked_fill(bound, 0.0)
    return result.masked_scatter(bound, nb_log_survival(units[bound], log_mean[bound], log_r[bound]))


def grain(units: Tensor) -> Tensor:
    """The unit () that sales (N,) are counted in: 1 where all are whole, else what makes them likeliest.

    Sales that are weighed are multiples of a small unit; counted in it, a negative binomial comes as close
    to a gamma distribution as the data want (a large grain is all Poisson, a small one all gamma). Chosen
    with one dispersion for all rows.
    """
    positive = units[units > 0]
    if len(positive) == 0 or bool((units == units.round()).all()):
        return units.new_ones(())
    step = positive.median() * 2.0 ** -torch.arange(1.0, 11.0, device=units.device)
    log_r = torch.linspace(-1.5, 5.0, 14, device=units.device).view(-1, 1)
    mean = units.mean()
    fit = [(nb_log_prob(units / g, (mean / g).log(), log_r) - g.log()).sum(1).max() for g in step]
    return step[int(torch.stack(fit).argmax())]
