"""The scalability law of a search: which levels it rests on, and what is said where there is none."""

from __future__ import annotations

import pytest

from capacity.scaling import scaling_of
from tests.capacity.verdicts import level, verdict

SDM91 = {1: 64.9, 18: 995.9, 36: 1652.4, 72: 1853.2, 108: 1828.9, 144: 1775.0, 216: 1702.2}


def test_the_published_measurements_give_the_published_law() -> None:
    """Sun SPEC SDM91 as levels of a search: sigma 0.0277, kappa 0.000104, 90.0 for one user."""
    law = scaling_of(verdict(levels=tuple(level(users, rps) for users, rps in SDM91.items()))).law
    assert law is not None
    assert law.sigma == pytest.approx(0.0277, abs=5e-5)
    assert law.kappa == pytest.approx(0.000104, abs=5e-7)
    assert law.lambda_ == pytest.approx(90.0, abs=0.05)
    assert law.peak_users == pytest.approx(96.5, abs=1.0)
    assert not law.extrapolated


def test_levels_that_failed_are_left_out() -> None:
    """Who is turned away waits outside: 9 users with 6 % rejected are no load of 9."""
    failing = level(9, 81.0, good_count=940)
    found = scaling_of(verdict(levels=(level(1, 10.0), level(4, 40.0), level(8, 80.0), failing)))
    assert [users for users, _ in found.points] == [1, 4, 8]
    assert found.law is not None
    assert found.law.peak_users is None


def test_levels_that_were_left_at_once_are_left_out() -> None:
    """A rate of a fifth of a second is none."""
    found = scaling_of(verdict(levels=(level(1, 10.0), level(4, 40.0), level(8, 80.0, seconds=0.2))))
    assert (found.law, len(found.points)) == (None, 2)
    assert "three levels" in (found.why_not or "")


def test_one_level_reads_as_one() -> None:
    """The reason agrees in number."""
    assert "1 of the levels tried was held" in (scaling_of(verdict(levels=(level(1, 10.0),))).why_not or "")


def test_an_open_loop_has_no_law_of_users() -> None:
    """Its levels are rates."""
    found = scaling_of(verdict(per_second=100))
    assert found.law is None
    assert "open loop" in (found.why_not or "")
