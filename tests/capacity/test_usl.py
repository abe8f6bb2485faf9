"""capacity.usl against a published fit, curves with known parameters, and a search without calculus."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity import usl

SDM91_USERS = [1, 18, 36, 72, 108, 144, 216]
SDM91_RPS = [64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2]


def law(users, sigma, kappa, one_user):
    return [one_user * n / (1 + sigma * (n - 1) + kappa * n * (n - 1)) for n in users]


def squared_error(parameters, users, rps) -> float:
    return math.fsum((x - y) ** 2 for x, y in zip(rps, law(users, *parameters), strict=True))


def test_spec_sdm91_gives_the_published_parameters():
    """The benchmark that the literature fits the law to: sigma 0.0277, kappa 0.000104, lambda 90.0, peak at 96.5."""
    found = usl.fit(SDM91_USERS, SDM91_RPS)
    assert found.sigma == pytest.approx(0.0277, abs=5e-5)
    assert found.kappa == pytest.approx(0.000104, abs=5e-7)
    assert found.lambda_ == pytest.approx(90.0, abs=0.05)
    assert found.peak_users == pytest.approx(math.sqrt((1 - found.sigma) / found.kappa))
    assert not found.extrapolated


def test_no_neighbour_of_the_fit_is_nearer_to_the_points():
    """Moving each parameter by a thousandth, in all 26 directions, never lowers the squared error."""
    found = usl.fit(SDM91_USERS, SDM91_RPS)
    best = (found.sigma, found.kappa, found.lambda_)
    error = squared_error(best, SDM91_USERS, SDM91_RPS)
    for steps in product((-1e-3, 0.0, 1e-3), repeat=3):
        moved = [value * (1 + step) for value, step in zip(best, steps, strict=True)]
        assert squared_error(moved, SDM91_USERS, SDM91_RPS) >= error


@given(st.floats(0.0, 0.9), st.floats(1e-4, 1e-2), st.floats(0.5, 500.0))
def test_a_curve_without_noise_gives_its_parameters_back(sigma, kappa, one_user):
    """Points on the law fit to the law they came from."""
    users = [1, 2, 4, 8, 16, 32, 64, 128]
    found = usl.fit(users, law(users, sigma, kappa, one_user))
    assert (found.sigma, found.kappa) == pytest.approx((sigma, kappa), rel=1e-3, abs=1e-6)
    assert found.lambda_ == pytest.approx(one_user, rel=1e-3)
    assert found.rps_at(10) == pytest.approx(law([10], sigma, kappa, one_user)[0], rel=1e-3)


@pytest.mark.parametrize(
    ("sigma", "kappa", "peak", "extrapolated", "why"),
    [
        (0.0, 0.0, None, False, "linear: twice the users, twice the throughput"),
        (0.05, 0.0, None, False, "Amdahl: flattens, never turns"),
        (1.0, 0.0, None, False, "flat from the first user: a plateau is no peak"),
        (0.19, 0.01, 9.0, False, "sqrt(0.81/0.01), within the 64 users measured"),
        (0.0, 1e-4, 100.0, True, "sqrt(1/0.0001), beyond them"),
        (0.0, 1e-6, None, False, "at 1,000 users: more than ten times what was measured"),
        (1.0, 1.0, 1.0, False, "falls from the first user on"),
    ],
)
def test_the_peak_is_told_apart_from_a_plateau(sigma, kappa, peak, extrapolated, why):
    """Points at 1 .. 64 users, without noise."""
    users = [1, 2, 4, 8, 16, 32, 64]
    found = usl.fit(users, law(users, sigma, kappa, 50.0))
    assert found.peak_users == (peak if peak is None else pytest.approx(peak, rel=1e-3)), why
    assert found.extrapolated == extrapolated, why


def test_a_cliff_has_no_peak_to_extrapolate():
    """Throughput that stops at 8 slots is a plateau; the points cannot vouch for a fall beyond them."""
    found = usl.fit([1, 2, 4, 8, 9, 10], [50, 100, 200, 400, 400, 401])
    assert (found.peak_users, found.extrapolated) == (None, False)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_unit_of_throughput_does_not_matter(scale):
    """Requests per second or per year: sigma and kappa stay, lambda and its error scale."""
    found = usl.fit(SDM91_USERS, [x * scale for x in SDM91_RPS])
    plain = usl.fit(SDM91_USERS, SDM91_RPS)
    assert (found.sigma, found.kappa) == pytest.approx((plain.sigma, plain.kappa), rel=1e-4)
    assert (found.lambda_, found.lambda_error) == pytest.approx(
        (plain.lambda_ * scale, plain.lambda_error * scale), rel=1e-4
    )


def test_standard_errors_are_the_spread_of_fits_to_repeated_noise():
    """Over 200 draws of 1 % noise, the fits of kappa scatter as widely as the mean printed error, within a quarter."""
    users = np.array([1, 4, 8, 16, 24, 32, 48, 64, 96, 128])
    clean = np.array(law(users, 0.03, 5e-4, 50.0))
    random = np.random.default_rng(3)
    fits = [usl.fit(users, clean + random.normal(0, 0.01 * clean.max(), len(users))) for _ in range(200)]
    spread = np.std([found.kappa for found in fits])
    assert np.mean([found.kappa_error for found in fits]) == pytest.approx(spread, rel=0.25)


def test_three_points_leave_nothing_for_standard_errors():
    """Three unknowns pass through three points: the errors are unknown, not 0."""
    found = usl.fit(SDM91_USERS[:3], SDM91_RPS[:3])
    assert (found.sigma_error, found.kappa_error, found.lambda_error) == (None, None, None)
    assert found.extrapolated


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0.01, 1e5)), min_size=3, max_size=12))
@settings(deadline=None)
def test_any_positive_points_give_a_law_within_its_bounds(points):
    """Whatever was measured, 0 <= sigma <= 1, kappa >= 0, lambda > 0, or a sentence about the number of points."""
    users, rps = zip(*points, strict=True)
    if len(set(users)) < 3:
        with pytest.raises(ValueError, match="three different numbers of users"):
            usl.fit(users, rps)
        return
    found = usl.fit(users, rps)
    assert 0 <= found.sigma <= 1
    assert found.kappa >= 0
    assert found.lambda_ > 0
    assert found.peak_users is None or found.peak_users >= 1


@pytest.mark.parametrize(
    ("users", "rps", "message"),
    [
        ([], [], "three different numbers of users, got \\[\\]"),
        ([1, 2], [1.0, 2.0], "three different numbers of users, got \\[1, 2\\]"),
        ([1, 2, 2], [1.0, 2.0, 2.1], "three different numbers of users"),
        ([1, 2, 3], [1.0, 2.0], "each number of users needs its throughput, got 3 and 2"),
        ([0, 1, 2], [1.0, 2.0, 3.0], "starts at 1 user, got \\[0, 1, 2\\]"),
        ([1, 2, 3], [1.0, 0.0, 3.0], "throughputs above 0"),
        ([1, 2, 3], [1.0, math.nan, 3.0], "throughputs above 0"),
        ([1, 2, math.inf], [1.0, 2.0, 3.0], "starts at 1 user"),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_a_sentence(users, rps, message):
    """Too few points and impossible values name what was seen."""
    with pytest.raises(ValueError, match=message):
        usl.fit(users, rps)
