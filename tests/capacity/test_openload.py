"""capacity.openload: how much is sent, as a person says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity.openload import LEAST_POOL, MOST_POOL, MOST_RPS, Shape, load_fields, pool_for, rates_of
from scoring.errors import RedlineError

SAID = [
    pytest.param(Shape(), {"users": 1, "max_users": 1, "duration_s": 30.0}, id="nothing"),
    pytest.param(Shape(users=8, duration_s=5.0), {"users": 8, "max_users": 8, "duration_s": 5.0}, id="users"),
    pytest.param(Shape(rps="50"), {"rps": 50.0, "last_rps": None, "max_users": 500, "spacing": "poisson"}, id="a rate"),
    pytest.param(Shape(rps="10..20/s"), {"rps": 10.0, "last_rps": 20.0, "max_users": 200}, id="a ramp up"),
    pytest.param(Shape(rps="90/min..0"), {"rps": 1.5, "last_rps": 0.0, "max_users": 16}, id="a ramp down to nothing"),
    pytest.param(Shape(rps="7..7"), {"rps": 7.0, "last_rps": None}, id="a ramp that is none"),
    pytest.param(Shape(rps="50", arrivals="constant", max_users=3), {"spacing": "constant", "max_users": 3}, id="more"),
]


@pytest.mark.parametrize(("shape", "expected"), SAID)
def test_what_is_said_becomes_fields_of_the_plan(shape: Shape, expected: dict[str, Any]) -> None:
    """A load without a rate is a closed loop of one user; a rate has a pool of ten seconds of it."""
    fields = load_fields(shape)
    assert {name: fields[name] for name in expected} == expected
    assert fields.get("is_open", False) is shape.is_open
    assert fields["budget_s"] == fields["duration_s"]


def test_a_replay_lasts_as_long_as_its_record(tmp_path: Path) -> None:
    """20 s at twice the speed, the last request included; the pool is for the busiest second."""
    file = tmp_path / "instants"
    file.write_text("\n".join(["0", "1.0", "1.2", "1.9", "2.1", "20"]))
    fields = load_fields(Shape(replay=file, speed=2.0))
    assert 10.0 < fields["duration_s"] < 10.01
    assert fields["max_users"] == 60  # three requests from 1.0 s on, twice as fast, for ten seconds
    assert (fields["replay"], fields["speed"]) == (str(file), 2.0)


CONTRADICTIONS = [
    (Shape(users=1, rps="5"), "--users and --rps were given"),
    (Shape(rps="5", replay=Path("x")), "--rps and --replay were given"),
    (Shape(users=4, arrivals="constant"), "--arrivals is of an open loop"),
    (Shape(users=4, max_users=8), "--max-users is of an open loop"),
    (Shape(rps="5", speed=2.0), "--speed is of a replay"),
    (Shape(replay=Path("x"), arrivals="poisson"), "--arrivals was given beside --replay"),
    (Shape(replay=Path("x"), speed=0.0), "--speed 0.0 is not above 0"),
    (Shape(rps="5", arrivals="bursty"), "--arrivals `bursty` is not known"),
    (Shape(rps="0"), "--rps `0` is no rate"),
    (Shape(rps="0..0"), "--rps `0..0` sends nothing"),
    (Shape(rps="-1"), "--rps `-1` is no rate"),
    (Shape(rps="nan"), "--rps `nan` is no rate"),
    (Shape(rps="1e9"), "--rps `1e9` is no rate"),
    (Shape(rps="5..fast"), "`fast`"),
]


@pytest.mark.parametrize(("shape", "words"), CONTRADICTIONS)
def test_wishes_that_do_not_agree_are_refused(shape: Shape, words: str) -> None:
    """Before anything is read or sent, with what to write instead."""
    with pytest.raises(RedlineError) as error:
        load_fields(shape)
    assert words in str(error.value)
    assert error.value.hint


@given(st.text(max_size=20))
def test_any_text_is_a_rate_or_refused(text: str) -> None:
    """Two rates of which one is above nothing, or a RedlineError."""
    try:
        first_rps, last_rps = rates_of(text)
    except RedlineError:
        return
    assert 0 < max(first_rps, last_rps or 0.0) <= MOST_RPS


@given(st.floats(0, MOST_RPS), st.floats(0, MOST_RPS))
def test_a_higher_rate_never_has_fewer_connections(one_rps: float, other_rps: float) -> None:
    """Within the bounds."""
    low, high = sorted((pool_for(one_rps), pool_for(other_rps)))
    assert (pool_for(min(one_rps, other_rps)), pool_for(max(one_rps, other_rps))) == (low, high)
    assert LEAST_POOL <= low <= high <= MOST_POOL
