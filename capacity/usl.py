"""Throughput against users: Gunther's Universal Scalability Law, fitted.

X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)): lambda is the throughput of one user, sigma the share of work
that must be done one at a time, kappa the cost of keeping every pair consistent (N. J. Gunther, 1993).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FARTHEST_PEAK = 10.0
"""Throughput must have fallen from its peak at so many times the measured users, or there is no peak in reach."""
LEAST_FALL_RATIO = 0.01
"""By so much of the peak; a flatter curve is a plateau."""

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Usl:
    """A fitted law. The standard errors are None where there are no points to spare for them."""

    sigma: float
    kappa: float
    lambda_: float  # requests per second of one user
    peak_users: float | None  # None: no peak in reach, or none that the points can vouch for
    extrapolated: bool  # the peak lies beyond the most users measured
    sigma_error: float | None
    kappa_error: float | None
    lambda_error: float | None

    def rps_at(self, users: float) -> float:
        """Throughput that the law gives for so many users."""
        return float(_law(np.array([self.sigma, self.kappa, self.lambda_]), np.array([users]))[0])


def fit(users: Sequence[float], rps: Sequence[float]) -> Usl:
    """The law nearest to the points: least squares on throughput, with 0 <= sigma <= 1, kappa >= 0, lambda > 0.

    A peak beyond the measured users is given only where kappa lies two standard errors above 0, or none are known.
    Needs three different numbers of users, all >= 1, and throughputs above 0; ValueError says what is missing.
    """
    loads, rates = _checked(users, rps)
    scale = float(rates.max())
    solution, jacobian = _least_squares(loads, rates / scale)
    sigma, kappa, share = (float(value) for value in solution)
    residuals = rates / scale - _law(solution, loads)
    errors = _standard_errors(jacobian, residuals)
    most_users = float(loads.max())
    peak = _peak(solution, most_users)
    extrapolated = peak is not None and peak > most_users
    if extrapolated and errors is not None and kappa < 2.0 * errors[1]:
        peak, extrapolated = None, False  # the points are as well explained by a curve that never turns
    return Usl(
        sigma=sigma,
        kappa=kappa,
        lambda_=share * scale,
        peak_users=peak,
        extrapolated=extrapolated,
        sigma_error=errors and errors[0],
        kappa_error=errors and errors[1],
        lambda_error=errors and errors[2] * scale,
    )


def _checked(users: Sequence[float], rps: Sequence[float]) -> tuple[Vector, Vector]:
    if len(users) != len(rps):
        raise ValueError(f"each number of users needs its throughput, got {len(users)} and {len(rps)}")
    loads, rates = np.asarray(users, dtype=float), np.asarray(rps, dtype=float)
    if not (np.all(np.isfinite(loads)) and np.all(loads >= 1.0)):
        raise ValueError(f"the scalability law starts at 1 user, got {list(users)}")
    if not (np.all(np.isfinite(rates)) and np.all(rates > 0.0)):
        raise ValueError(f"the scalability law needs throughputs above 0, got {list(rps)}")
    if len(set(loads.tolist())) < 3:
        raise ValueError(f"the scalability law needs three different numbers of users, got {sorted(set(users))}")
    return loads, rates


def _law(parameters: Vector, users: Vector) -> Vector:
    sigma, kappa, one_user = parameters
    return np.asarray(one_user * users / _drag(sigma, kappa, users))


def _drag(sigma: float, kappa: float, users: Vector) -> Vector:
    return 1.0 + sigma * (users - 1.0) + kappa * users * (users - 1.0)


def _slopes(parameters: Vector, users: Vector) -> Vector:
    """Derivatives of the law by sigma, kappa and lambda, one row per point."""
    sigma, kappa, one_user = parameters
    drag = _drag(sigma, kappa, users)
    by_drag = -one_user * users / drag**2
    return np.column_stack([by_drag * (users - 1.0), by_drag * users * (users - 1.0), users / drag])


def _least_squares(loads: Vector, rates: Vector) -> tuple[Vector, Vector]:
    """(sigma, kappa, lambda) of the least squared throughput error, and the derivatives there."""
    from scipy.optimize import least_squares

    result = least_squares(
        lambda parameters: _law(parameters, loads) - rates,
        _first_guess(loads, rates),
        jac=lambda parameters: _slopes(parameters, loads),
        bounds=([0.0, 0.0, 1e-12], [1.0, math.inf, math.inf]),
        x_scale=[0.1, 0.1 / float(loads.max()) ** 2, float((rates / loads).max())],
        ftol=1e-14,
        xtol=1e-14,
        gtol=1e-14,
        max_nfev=2000,
    )
    return np.asarray(result.x), np.asarray(result.jac)


def _first_guess(loads: Vector, rates: Vector) -> Vector:
    """N / X is linear in 1/lambda, sigma/lambda and kappa/lambda; weights X^2 / N turn its errors into those of X."""
    from scipy.optimize import nnls

    weights = rates**2 / loads
    terms = np.column_stack([np.ones_like(loads), loads - 1.0, loads * (loads - 1.0)])
    (inverse, by_sigma, by_kappa), _ = nnls(terms * weights[:, None], loads / rates * weights)
    if inverse <= 0.0:
        return np.array([0.1, 0.1 / float(loads.max()) ** 2, float((rates / loads).max())])
    return np.array([min(by_sigma / inverse, 1.0), by_kappa / inverse, 1.0 / inverse])


def _peak(parameters: Vector, most_users: float) -> float | None:
    """Where the law turns, sqrt((1 - sigma) / kappa) and at least 1; None when it hardly falls within reach."""
    sigma, kappa, _ = parameters.tolist()
    if kappa <= 0.0:
        return None
    peak = max(1.0, math.sqrt((1.0 - sigma) / kappa))
    far = FARTHEST_PEAK * most_users
    at_peak, at_far = _law(parameters, np.array([peak, far])).tolist()
    return peak if peak < far and at_far <= (1.0 - LEAST_FALL_RATIO) * at_peak else None


def _standard_errors(jacobian: Vector, residuals: Vector) -> tuple[float, float, float] | None:
    """Square roots of the diagonal of s^2 (J'J)^-1 with n - 3 degrees of freedom; None when there are none."""
    spare = len(residuals) - 3
    if spare < 1:
        return None
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * float(residuals @ residuals) / spare
    sigma, kappa, one_user = np.sqrt(np.diag(covariance)).tolist()
    return sigma, kappa, one_user
