from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from pytest_anchorgate.stats import Interval, loss_bound, mcnemar_p, pass_at_k, wilson_interval

COUNTS = st.integers(0, 3000)


@st.composite
def parts(draw: st.DrawFn, *, smallest: int = 0, largest: int = 3000) -> tuple[int, int]:
    """Give a part and its whole, the whole at least ``smallest``."""
    whole = draw(st.integers(smallest, largest))
    return draw(st.integers(0, whole)), whole


@given(parts(smallest=1))
def test_wilson_agrees_with_scipy(counts: tuple[int, int]) -> None:
    passed, total = counts
    oracle = stats.binomtest(passed, total).proportion_ci(0.95, method="wilson")
    interval = wilson_interval(passed, total)
    assert interval.low == pytest.approx(oracle.low, rel=1e-9, abs=1e-12)
    assert interval.high == pytest.approx(oracle.high, rel=1e-9, abs=1e-12)


@given(parts(largest=10**9))
def test_wilson_holds_the_rate_and_stays_a_rate(counts: tuple[int, int]) -> None:
    passed, total = counts
    interval = wilson_interval(passed, total)
    assert 0 <= interval.low <= passed / max(total, 1) <= interval.high <= 1


@given(parts(smallest=1, largest=10**6))
def test_more_passes_raise_wilson_and_more_tasks_narrow_it(counts: tuple[int, int]) -> None:
    passed, total = counts
    one, more = wilson_interval(passed, total), wilson_interval(10 * passed, 10 * total)
    assert more.high - more.low < one.high - one.low
    if passed < total:
        better = wilson_interval(passed + 1, total)
        assert (better.low, better.high) >= (one.low, one.high)


@given(parts(largest=10**6))
def test_wilson_of_the_failures_is_the_mirror_image(counts: tuple[int, int]) -> None:
    passed, total = counts
    of_passes, of_failures = wilson_interval(passed, total), wilson_interval(total - passed, total)
    assert of_passes.low == pytest.approx(1 - of_failures.high, abs=1e-12)


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [
        pytest.param(81, 263, 0.2553, 0.3662, id="Newcombe 1998, many passes"),
        pytest.param(15, 148, 0.0624, 0.1605, id="Newcombe 1998, few passes"),
        pytest.param(0, 20, 0.0, 0.1611, id="Newcombe 1998, no passes"),
        pytest.param(1, 29, 0.0061, 0.1718, id="Newcombe 1998, one pass"),
        pytest.param(0, 0, 0.0, 1.0, id="nothing says nothing"),
    ],
)
def test_published_wilson_intervals(passed: int, total: int, low: float, high: float) -> None:
    interval = wilson_interval(passed, total)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_an_interval_is_a_value() -> None:
    assert wilson_interval(0, 0) == Interval(low=0.0, high=1.0)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_mcnemar_agrees_with_scipy(lost: int, gained: int) -> None:
    if lost + gained:
        oracle = stats.binomtest(lost, lost + gained).pvalue
        assert mcnemar_p(lost, gained) == pytest.approx(oracle, rel=1e-8, abs=1e-300)


@given(COUNTS, COUNTS)
def test_mcnemar_is_symmetric_and_a_probability(lost: int, gained: int) -> None:
    p = mcnemar_p(lost, gained)
    assert p == mcnemar_p(gained, lost)
    assert 0 <= p <= 1
    if abs(lost - gained) <= 1:
        assert p == 1.0


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_exact_to_the_last_bit(lost: int, gained: int) -> None:
    flips = lost + gained
    tail = sum(math.comb(flips, k) for k in range(min(lost, gained) + 1))
    assert mcnemar_p(lost, gained) == float(min(Fraction(1), Fraction(2 * tail, 2**flips)))


@given(COUNTS, COUNTS)
def test_one_more_loss_beyond_the_gains_is_never_less_surprising(lost: int, gained: int) -> None:
    if lost >= gained:
        assert mcnemar_p(lost + 1, gained) <= mcnemar_p(lost, gained)


@pytest.mark.parametrize(
    ("lost", "gained", "p"),
    [
        pytest.param(0, 0, 1.0, id="nothing changed"),
        pytest.param(5, 0, 2 / 2**5, id="five losses"),
        pytest.param(6, 0, 2 / 2**6, id="six losses"),
        pytest.param(19, 0, 2 / 2**19, id="the seed's anchors"),
        pytest.param(1, 9, 22 / 2**10, id="one of ten"),
        pytest.param(10_000, 10_000, 1.0, id="many and even"),
        pytest.param(5_000, 0, 0.0, id="less than a float can hold"),
    ],
)
def test_mcnemar_by_hand(lost: int, gained: int, p: float) -> None:
    assert mcnemar_p(lost, gained) == p


def test_mcnemar_of_many_thousands() -> None:
    oracle = stats.binomtest(9_800, 20_000).pvalue
    assert mcnemar_p(9_800, 10_200) == pytest.approx(oracle, rel=1e-6)


@given(parts(smallest=1, largest=400), st.data())
def test_pass_at_k_agrees_with_scipy(counts: tuple[int, int], data: st.DataObject) -> None:
    passed, samples = counts
    k = data.draw(st.integers(1, samples))
    failing = special.comb(samples - passed, k, exact=True)
    oracle = 1 - Fraction(failing, special.comb(samples, k, exact=True))
    assert pass_at_k(samples, passed, k) == float(oracle)


@given(parts(smallest=1, largest=8), st.data())
def test_pass_at_k_counts_the_draws_that_hold_a_pass(
    counts: tuple[int, int], data: st.DataObject
) -> None:
    passed, samples = counts
    k = data.draw(st.integers(1, samples))
    draws = list(combinations([True] * passed + [False] * (samples - passed), k))
    assert pass_at_k(samples, passed, k) == sum(map(any, draws)) / len(draws)


@given(parts(smallest=1, largest=400))
def test_pass_at_k_grows_with_draws_and_passes(counts: tuple[int, int]) -> None:
    passed, samples = counts
    rates = [pass_at_k(samples, passed, k) for k in range(1, samples + 1)]
    assert rates == sorted(rates)
    assert rates[0] == passed / samples
    assert rates[-1] == (1.0 if passed else 0.0)
    if passed < samples:
        assert pass_at_k(samples, passed + 1, 1) > rates[0]


def test_pass_at_k_by_hand() -> None:
    assert pass_at_k(200, 1, 100) == 0.5
    assert pass_at_k(5, 2, 2) == 0.7  # 1 - 3/5 * 2/4


@given(st.integers(1, 10**9))
def test_the_rule_of_three_bounds_the_exact_rate(total: int) -> None:
    exact = -math.expm1(math.log(0.05) / total)  # 1 - 0.05 ** (1 / total), without cancellation
    assert exact <= loss_bound(total) <= 1
    if total >= 20:  # it overstates by 3 / -log(0.05) - 1 = 0.14 % and by half its own value
        assert loss_bound(total) <= exact * (1.0015 + 1.6 / total)


@pytest.mark.parametrize(
    ("total", "bound"),
    [(0, 1.0), (1, 1.0), (3, 1.0), (19, 3 / 19), (100, 0.03), (300, 0.01)],
)
def test_the_rule_of_three_by_hand(total: int, bound: float) -> None:
    assert loss_bound(total) == bound


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: wilson_interval(4, 3), r"passed = 4 of total = 3: "),
        (lambda: wilson_interval(-1, 3), r"passed = -1 of total = 3: "),
        (lambda: mcnemar_p(-1, 3), r"lost = -1 of lost \+ gained = 2: "),
        (lambda: mcnemar_p(3, -1), r"lost = 3 of lost \+ gained = 2: "),
        (lambda: pass_at_k(3, 4, 1), r"passed = 4 of samples = 3: "),
        (lambda: pass_at_k(3, 2, 4), r"k = 4 of samples = 3: draw from 1 to all samples"),
        (lambda: pass_at_k(3, 2, 0), r"k = 0 of samples = 3: "),
        (lambda: loss_bound(-2), r"total = -2: a count is not negative"),
    ],
)
def test_counts_that_cannot_be_are_one_line(call, said) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)
