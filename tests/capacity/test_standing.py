"""Figures of a run with intervals that hold although neighbouring answers resemble each other."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from capacity.standing import percentile, proportion, rate, standing_as_json, standing_from
from scoring.errors import RedlineError
from scoring.units import MS
from tests.capacity.standings import STANDING

RUNS, COUNT = 300, 4_000
NORMAL_P95 = 1.6448536269514722


def _waves(rng: np.random.Generator, likeness: float) -> NDArray[np.float64]:
    """Standard normal values, each correlated with the one before."""
    noise = rng.normal(size=COUNT)
    values = np.empty(COUNT)
    values[0] = noise[0]
    for place in range(1, COUNT):
        values[place] = likeness * values[place - 1] + noise[place] * np.sqrt(1 - likeness**2)
    return values


@pytest.mark.parametrize("likeness", [0.0, 0.9])
def test_the_interval_of_a_percentile_covers_it(likeness: float) -> None:
    """At least 90 % of the intervals printed as 95 % hold the true p95, also where each answer resembles the last."""
    rng = np.random.default_rng(20261123)
    covered = 0
    for _ in range(RUNS):
        found = percentile((np.exp(_waves(rng, likeness)) * MS).astype(np.int64), 0.95)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= np.exp(NORMAL_P95) <= found.high
    assert covered / RUNS >= 0.90


@pytest.mark.parametrize("likeness", [0.0, 0.9])
def test_the_interval_of_a_share_covers_it(likeness: float) -> None:
    """The same for a share of 5 % that comes in clusters."""
    rng = np.random.default_rng(7)
    found = [proportion(_waves(rng, likeness) > NORMAL_P95) for _ in range(RUNS)]
    assert sum(one.low <= 0.05 <= one.high for one in found if one.low is not None and one.high is not None) >= 270


def test_few_values_have_no_interval() -> None:
    """Thirty answers say nothing of how far a percentile may be off; a hundred leave its upper side open."""
    assert percentile(np.arange(30), 0.95).high is None
    hundred = percentile(np.arange(100), 0.99)
    assert hundred.value == 98 / MS
    assert hundred.high is None


def test_none_of_many_is_bounded_from_above() -> None:
    """No failure among 1,000: at most 0.37 % with 97.5 % confidence, as 0.025 ** (1 / 1000) says."""
    found = proportion(np.zeros(1_000, dtype=bool))
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(0.003682, abs=1e-6)


def test_a_steady_rate_has_a_narrow_interval() -> None:
    """Fifty a second for 48 s."""
    found = rate(np.arange(0.01, 48, 0.02), 48.0)
    assert found is not None
    assert found.value == pytest.approx(50)
    assert found.low is not None
    assert found.low > 49
    assert rate(np.empty(0), 0.0) is None


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_a_share_lies_in_its_interval(flags: list[bool]) -> None:
    """Whatever was seen."""
    found = proportion(np.array(flags))
    assert found.low is None or found.low <= found.value
    assert found.high is None or found.value <= found.high


def test_a_standing_is_read_back() -> None:
    """What is kept as JSON is the same afterwards, but for where it stands."""
    kept = json.loads(json.dumps(standing_as_json(STANDING)))
    assert standing_as_json(standing_from(kept, STANDING.where)) == standing_as_json(STANDING)


@pytest.mark.parametrize(
    "document", [{}, [], "x", {"schema": 2, "kind": "redline baseline"}, {"kind": "redline baseline", "schema": 1}]
)
def test_another_document_is_no_baseline(document: object) -> None:
    """It is refused in one line."""
    with pytest.raises(RedlineError, match="is no baseline"):
        standing_from(document, "report.json")
