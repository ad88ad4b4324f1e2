"""How sure a count makes us: intervals, tests and estimators for passes and losses.

Formulas only, from the standard library: no files, no tasks, no decision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Z95 = 1.959963984540054  # the 97.5 % quantile of the normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The lowest and the highest rate that a count supports, both within 0 and 1."""

    low: float
    high: float


def wilson_interval(passed: int, total: int) -> Interval:
    """Return the 95 % score interval of a pass rate (Wilson 1927); all of 0..1 for no tasks.

    Unlike the mean ± two standard errors it stays within 0..1, and says something of 0 passes.
    """
    _require_part("passed", passed, "total", total)
    if total == 0:
        return Interval(low=0.0, high=1.0)
    rate, square = passed / total, Z95 * Z95
    middle = rate + square / (2 * total)
    reach = Z95 * math.sqrt(rate * (1 - rate) / total + square / (4 * total * total))
    scale = 1 + square / total
    return Interval(
        low=max(0.0, (middle - reach) / scale) if passed else 0.0,
        high=min(1.0, (middle + reach) / scale) if passed < total else 1.0,
    )


def mcnemar_p(lost: int, gained: int) -> float:
    """Return the exact two-sided p-value that losses and gains are equally likely.

    The binomial form of the test on discordant pairs (McNemar 1947; exact: Mosteller 1952): twice
    the smaller tail of ``lost + gained`` fair coin flips, at most 1. Summed in integers and
    divided once, so the value is exact to the last bit for any count.
    """
    _require_part("lost", lost, "lost + gained", lost + gained)
    flips, fewer = lost + gained, min(lost, gained)
    term = tail = 1  # term = comb(flips, k), tail = its sum up to k
    for k in range(fewer):
        term = term * (flips - k) // (k + 1)
        tail += term
    return 1.0 if 2 * tail >= 2**flips else 2 * tail / 2**flips


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """Return the chance that at least one of ``k`` drawn samples passes (Chen et al. 2021).

    The unbiased estimator 1 - comb(samples - passed, k) / comb(samples, k) over ``samples``
    completions of one task. Raises `ValueError` for counts that cannot be.
    """
    _require_part("passed", passed, "samples", samples)
    if not 1 <= k <= samples:
        raise ValueError(f"k = {k} of samples = {samples}: draw from 1 to all samples.")
    draws = math.comb(samples, k)
    return (draws - math.comb(samples - passed, k)) / draws


def loss_bound(total: int) -> float:
    """Return the 95 % upper bound of the loss rate after 0 losses in ``total`` kept tasks.

    The rule of three, 3 / total (Hanley and Lippman-Hand 1983), at most 1. It lies a little
    above the exact 1 - 0.05 ** (1 / total).
    """
    if total < 0:
        raise ValueError(f"total = {total}: a count is not negative.")
    return min(1.0, 3 / total) if total else 1.0


def _require_part(part_name: str, part: int, whole_name: str, whole: int) -> None:
    if not 0 <= part <= whole:
        raise ValueError(f"{part_name} = {part} of {whole_name} = {whole}: cannot be a part of it.")
