"""capacity.stats against exact slow twins: fractions, whole sums over the binomial, every order of a few values."""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity import stats

COUNTS = st.integers(0, 60).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
GOALS = st.sampled_from([0.001, 0.01, 0.05, 0.3])


def binomial_at_most(k: int, n: int, p: Fraction) -> Fraction:
    return sum((math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1)), Fraction(0))


# nearest rank


@pytest.mark.parametrize(
    ("values", "q", "expected", "why"),
    [
        ([7.0], 0.99, 7.0, "one value is every percentile"),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0, "two of four are at or below 2"),
        ([1.0, 2.0, 3.0, 4.0], 0.51, 3.0, "51 % of four needs three"),
        ([1.0, 2.0, 3.0], 0.0, 1.0, "q = 0 is the smallest"),
        ([1.0, 2.0, 3.0], 1.0, 3.0, "q = 1 is the largest"),
        ([float(n) for n in range(1, 101)], 0.07, 7.0, "0.07 * 100 is 7.000000000000001 in floats, yet the rank is 7"),
        ([float(n) for n in range(1, 101)], 0.29, 29.0, "0.29 * 100 is 28.999999999999996 in floats, and the rank 29"),
        ([float(n) for n in range(1, 1001)], 0.999, 999.0, "the 999th of a thousand"),
    ],
)
def test_nearest_rank_is_the_smallest_value_that_covers_q(values, q, expected, why):
    """Each row's sentence says why the value is the one."""
    assert stats.nearest_rank(values, q) == expected, why


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(0, 1000))
def test_nearest_rank_agrees_with_its_definition(values, thousandths):
    """Counting values at or below each candidate, in fractions, picks the same value."""
    q = Fraction(thousandths, 1000)
    covering = [v for v in values if Fraction(sum(w <= v for w in values), len(values)) >= q]
    assert stats.nearest_rank(sorted(values), thousandths / 1000) == min(covering)


@pytest.mark.parametrize(("values", "q"), [([], 0.5), ([1.0], -0.1), ([1.0], 1.1)])
def test_nearest_rank_refuses_what_has_no_percentile(values, q):
    """No values and a q outside 0..1 are refused with a sentence."""
    with pytest.raises(ValueError, match="percentile"):
        stats.nearest_rank(values, q)


# percentile interval


@given(st.integers(1, 60), st.sampled_from([0.05, 0.5, 0.9, 0.95]), st.sampled_from([0.8, 0.95]))
@settings(deadline=None)
def test_percentile_interval_is_the_narrowest_with_half_the_error_in_each_tail(count, q, confidence):
    """Whole binomial sums in fractions give the same two ranks, or find none."""
    quantile, tail = Fraction(str(q)), (1 - Fraction(str(confidence))) / 2
    lows = [rank for rank in range(1, count + 1) if binomial_at_most(rank - 1, count, quantile) <= tail]
    highs = [rank for rank in range(1, count + 1) if binomial_at_most(rank - 1, count, quantile) >= 1 - tail]
    expected = (max(lows), min(highs)) if lows and highs else None
    assert stats.percentile_interval(list(range(1, count + 1)), q, confidence) == expected


@pytest.mark.parametrize(
    ("count", "exists", "why"),
    [
        (5, False, "the median lies outside five values with probability 2/32 = 6.25 %"),
        (6, True, "and outside six with 2/64 = 3.1 %"),
        (0, False, "no values, no interval"),
    ],
)
def test_a_median_interval_needs_six_values(count, exists, why):
    """All values together hold the median unless all fall on one side of it."""
    assert (stats.percentile_interval(list(range(count)), 0.5) is not None) == exists, why


def test_a_p99_interval_needs_368_values():
    """The largest of 367 values is below the p99 with 0.99^367 = 2.500 %; one more value brings it under 2.5 %."""
    assert stats.percentile_interval(list(range(367)), 0.99) is None
    assert stats.percentile_interval(list(range(368)), 0.99) is not None


@pytest.mark.parametrize("q", [0.0, 1.0])
def test_the_ends_of_a_distribution_have_no_interval(q):
    """q must lie strictly between 0 and 1."""
    with pytest.raises(ValueError, match="percentile interval"):
        stats.percentile_interval([1.0, 2.0], q)


# intervals of a proportion


@pytest.mark.parametrize(
    ("bad", "total", "low", "high", "why"),
    [
        (0, 0, 0.0, 1.0, "nothing counted says nothing"),
        (0, 10, 0.0, 0.27753, "z^2/(n + z^2) = 3.8415/13.8415"),
        (10, 10, 0.72247, 1.0, "the mirror of 0 of 10"),
        (5, 10, 0.23659, 0.76341, "half: 0.5 -+ 0.5 z/sqrt(n + z^2) = 0.5 -+ 0.26341"),
    ],
)
def test_wilson_by_hand(bad, total, low, high, why):
    """Rows whose intervals have a closed form."""
    assert stats.wilson(bad, total) == pytest.approx((low, high), abs=1e-5), why


@given(COUNTS.filter(lambda counts: counts[1] > 0))
def test_the_ends_of_wilson_are_where_the_score_test_just_rejects(counts):
    """At an end p, |bad/total - p| is z standard errors of p, unless the end is 0 or 1."""
    bad, total = counts
    z = 1.959963984540054
    for end in stats.wilson(bad, total):
        if 0 < end < 1:
            assert abs(bad / total - end) == pytest.approx(z * math.sqrt(end * (1 - end) / total))


@pytest.mark.parametrize(
    ("bad", "total", "bound", "why"),
    [
        (0, 0, 1.0, "nothing counted says nothing"),
        (4, 4, 1.0, "all bad"),
        (0, 1, 0.95, "one good answer excludes only p > 95 %"),
        (0, 2994, 1 - 0.05 ** (1 / 2994), "no bad ones: 1 - 0.05^(1/n)"),
        (2, 3, 0.95 ** (1 / 3), "all but one: p^3 = 95 %"),
    ],
)
def test_clopper_pearson_by_hand(bad, total, bound, why):
    """Rows whose bound has a closed form."""
    assert stats.clopper_pearson_upper(bad, total) == pytest.approx(bound), why


def test_a_goal_of_one_in_a_thousand_is_confirmed_by_2995_clean_answers_and_not_by_2994():
    """ln 0.05 / ln 0.999 = 2994.2."""
    assert stats.clopper_pearson_upper(0, 2994) > 0.001 > stats.clopper_pearson_upper(0, 2995)


@given(COUNTS.filter(lambda counts: counts[0] < counts[1]))
def test_at_the_clopper_pearson_bound_five_percent_would_see_so_few(counts):
    """The binomial sum at the bound, in fractions, is 1 - confidence."""
    bad, total = counts
    bound = stats.clopper_pearson_upper(bad, total)
    assert float(binomial_at_most(bad, total, Fraction(bound))) == pytest.approx(0.05, rel=1e-6)


@given(COUNTS, st.floats(1.0, 10.0))
def test_overdispersion_widens_the_bound(counts, dispersion):
    """Counts divided by the overdispersion, fractions included, never give a lower bound."""
    bad, total = counts
    widened = stats.clopper_pearson_upper(bad / dispersion, total / dispersion)
    assert widened >= stats.clopper_pearson_upper(bad, total) - 1e-9


@pytest.mark.parametrize("call", [stats.wilson, stats.clopper_pearson_upper])
@pytest.mark.parametrize(("bad", "total"), [(-1, 5), (6, 5), (math.nan, 5)])
def test_impossible_counts_are_refused(call, bad, total):
    """Less than none and more than all name the values seen."""
    with pytest.raises(ValueError, match="0 <= bad <= total"):
        call(bad, total)


# evidence


def evidence_twin(bad: int, total: int, goal: Fraction, steps: int = 4000) -> float:
    """The two integrals over ln p by the trapezoidal rule, in plain floats (good for small counts only)."""

    def mean_likelihood(low: float, high: float) -> float:
        width = (math.log(high) - math.log(low)) / steps
        points = [low * math.exp(width * i) for i in range(steps)] + [high]
        heights = [p**bad * (1 - p) ** (total - bad) if p < 1 else float(bad == total) for p in points]
        return (sum(heights) - (heights[0] + heights[-1]) / 2) / steps

    return math.log(mean_likelihood(float(goal) / 1000, float(goal)) / mean_likelihood(float(goal), 1.0))


@pytest.mark.parametrize(("bad", "total"), [(0, 1), (1, 1), (0, 300), (3, 40), (20, 60)])
@pytest.mark.parametrize("goal", [Fraction(1, 1000), Fraction(1, 20), Fraction(3, 10)])
def test_evidence_agrees_with_the_integrals_done_the_slow_way(bad, total, goal):
    """Four times as many points and another rule give the same Bayes factor."""
    assert stats.log_evidence(bad, total, float(goal)) == pytest.approx(
        evidence_twin(bad, total, goal), rel=1e-4, abs=1e-3
    )


@given(GOALS)
def test_no_answers_are_no_evidence(goal):
    """Without counts both hypotheses explain the data alike."""
    assert stats.log_evidence(0, 0, goal) == pytest.approx(0.0, abs=1e-12)


@given(COUNTS, GOALS)
def test_a_bad_answer_speaks_against_the_goal_and_a_good_one_for_it(counts, goal):
    """One more bad answer lowers the evidence, one more good answer raises it."""
    bad, total = counts
    before = stats.log_evidence(bad, total, goal)
    assert stats.log_evidence(bad + 1, total + 1, goal) < before < stats.log_evidence(bad, total + 1, goal)


@pytest.mark.parametrize(("bad", "total", "sign"), [(0, 10**7, 1), (10**6, 10**7, -1), (10**7, 10**7, -1)])
def test_evidence_stays_finite_for_ten_million_answers(bad, total, sign):
    """Sums in logarithms neither underflow nor overflow, and keep their sign."""
    evidence = stats.log_evidence(bad, total, 0.001)
    assert math.isfinite(evidence)
    assert evidence * sign > 0


# sequential test


@pytest.mark.parametrize(
    ("bad", "total", "goal", "expected", "why"),
    [
        (0, 0, 0.05, 0.0, "no answers"),
        (1, 1, 0.2, math.log((1 / 3) / (1 / 9)), "odds 1/4: p1 = 1/3, p0 = 1/9, and one bad answer"),
        (0, 1, 0.2, math.log((2 / 3) / (8 / 9)), "the same two, and one good answer"),
        (2, 7, 0.5, 2 * math.log(2) + 5 * math.log(0.5), "odds 1: p1 = 2/3, p0 = 1/3"),
    ],
)
def test_sprt_by_hand(bad, total, goal, expected, why):
    """bad ln(p1/p0) + good ln((1-p1)/(1-p0)) with p1, p0 from the odds."""
    assert stats.sprt(bad, total, goal) == pytest.approx(expected), why


@given(COUNTS, GOALS)
def test_sprt_is_divided_by_the_overdispersion(counts, goal):
    """Answers worth a quarter of an independent one carry a quarter of the evidence."""
    assert stats.sprt(*counts, goal, dispersion=4.0) == pytest.approx(stats.sprt(*counts, goal) / 4.0)


@pytest.mark.parametrize("call", [stats.log_evidence, stats.sprt])
@pytest.mark.parametrize("goal", [0.0, 1.0, -0.1])
def test_a_goal_that_allows_nothing_or_everything_is_refused(call, goal):
    """0 and 1 cannot be tested by counting."""
    with pytest.raises(ValueError, match="0 < ratio < 1"):
        call(1, 10, goal)


# series


@pytest.mark.parametrize(
    ("values", "cut", "why"),
    [
        ([], 0, "nothing to cut, nothing left"),
        ([1.0] * 9, 9, "fewer than two batches justify no cut"),
        ([1.0] * 50, 0, "a constant series needs none"),
        ([0.1] * 50, 0, "nor one that floats cannot hold exactly"),
        ([9.0] * 5 + [1.0] * 45, 5, "one slow batch, then steady"),
        ([9.0] * 7 + [1.0] * 43, 10, "a transient is cut up to the end of its batch"),
        ([float(n) for n in range(50)], 50, "a ramp never settles"),
        ([9.0] * 25 + [1.0] * 25, 50, "what settles at the middle has not been seen settled for long enough"),
        ([9.0] * 30 + [1.0] * 20, 0, "a shift after the middle is out of reach; `trend` finds it"),
        ([9.0] * 5 + [1.0] * 45 + [50.0] * 4, 5, "an incomplete last batch takes no part"),
    ],
)
def test_mser5_cuts_the_transient(values, cut, why):
    """The number of values to drop; all of them when the series has not settled."""
    assert stats.mser5(values) == cut, why


@given(st.lists(st.integers(0, 1000), min_size=10, max_size=120))
def test_mser5_agrees_with_the_definition_in_fractions(values):
    """Every cut up to the middle, scored by whole sums, gives the same first minimum."""
    batches = [Fraction(sum(values[i : i + 5]), 5) for i in range(0, len(values) - len(values) % 5, 5)]

    def score(cut: int) -> Fraction:
        kept = batches[cut:]
        mean = sum(kept) / len(kept)
        return sum((y - mean) ** 2 for y in kept) / Fraction(len(kept)) ** 2

    scores = [score(cut) for cut in range(len(batches) // 2 + 1)]
    found = stats.mser5(values)
    position = len(scores) - 1 if found == len(values) else found // 5
    assert float(scores[position]) == pytest.approx(float(min(scores)), abs=1e-9)


@pytest.mark.parametrize(
    ("values", "slope", "p_value", "why"),
    [
        ([], 0.0, 1.0, "nothing"),
        ([1.0, 2.0], 0.0, 1.0, "two values always rise or fall"),
        ([5.0] * 6, 0.0, 1.0, "all tied"),
        ([1.0, 2.0, 3.0], 1.0, 2 / 6, "two of six orders are monotone"),
        ([1.0, 2.0, 4.0, 8.0, 16.0], 3.375, 2 / 120, "slopes 1 1.5 2 2.3 3 | 3.75 4 4.7 6 8"),
        ([4.0, 3.0, 2.0, 1.0], -1.0, 2 / 24, "falling is a trend too"),
    ],
)
def test_trend_by_hand(values, slope, p_value, why):
    """Median of the pairwise slopes, and the share of orders at least as monotone."""
    assert stats.trend(values) == pytest.approx((slope, p_value)), why


@given(st.permutations(range(6)))
def test_trend_p_value_is_the_share_of_orders_as_extreme(values):
    """Counting all 720 orders of six distinct values gives the same p-value."""
    scores = [kendall_score(order) for order in permutations(range(6))]
    seen = abs(kendall_score(values))
    assert stats.trend(values)[1] == pytest.approx(sum(abs(s) >= seen for s in scores) / len(scores))


@pytest.mark.parametrize("values", [(1, 2, 3, 4, 5, 6), (1, 1, 2, 3, 4, 5), (1, 1, 1, 2, 2, 3), (7, 7, 7, 7, 7, 7)])
def test_trend_variance_is_that_of_all_orders(values):
    """The tie-corrected formula equals the variance over all 720 orders."""
    scores = [kendall_score(order) for order in permutations(values)]
    ties = [values.count(v) for v in set(values) if values.count(v) > 1]
    assert stats.trend_score_variance(6, ties) == pytest.approx(np.var(scores))


@pytest.mark.parametrize("ties", [0, 4])
def test_a_long_drift_under_noise_is_a_trend_and_noise_alone_is_not(ties):
    """Sixty values that rise by one standard deviation over the series are found; tied or not."""
    noise = np.random.default_rng(5).normal(size=60).round(1 if ties else 9)
    slope, p_value = stats.trend((np.linspace(0, 3, 60) + noise).tolist())
    assert slope == pytest.approx(3 / 59, rel=0.5)
    assert p_value < 0.001
    assert stats.trend(noise.tolist())[1] > 0.05


def kendall_score(values) -> int:
    """Rises minus falls over all pairs."""
    pairs = [(a, b) for i, a in enumerate(values) for b in values[i + 1 :]]
    return sum((b > a) - (b < a) for a, b in pairs)


@pytest.mark.parametrize(
    ("latency_sum_s", "span_s", "expected"), [(0.0, 10.0, 0.0), (40.0, 10.0, 4.0), (0.5, 2.0, 0.25)]
)
def test_littles_law(latency_sum_s, span_s, expected):
    """40 s spent in requests within 10 s are four requests at a time."""
    assert stats.littles_law_in_flight(latency_sum_s, span_s) == expected


def test_littles_law_needs_a_span():
    """No span, no mean."""
    with pytest.raises(ValueError, match="span above 0 s"):
        stats.littles_law_in_flight(1.0, 0.0)


def mann_whitney(before: Sequence[int], after: Sequence[int]) -> float:
    """The definition: of all pairs, those in which the later value is larger, ties half."""
    wins = sum((b > a) + 0.5 * (b == a) for a in before for b in after)
    first, second = len(before), len(after)
    return (wins - first * second / 2) / math.sqrt(first * second * (first + second + 1) / 12)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_the_shift_of_ranks_is_that_of_its_definition(before: list[int], after: list[int]) -> None:
    """Sorting and searching give what counting all pairs gives."""
    told = stats.rank_shift(np.array(sorted(before)), np.array(sorted(after)))
    assert told == pytest.approx(mann_whitney(before, after))


def test_no_values_shift_nothing() -> None:
    """Without a sample on one side there is nothing to compare."""
    assert stats.rank_shift(np.array([], dtype=np.int64), np.array([1, 2])) == 0.0
