"""Goals: what a person writes, and which answers are bad."""

from __future__ import annotations

import pytest

from capacity.goals import Counts, GoalKind, bad_count, evidence_count, parse_goal, with_defaults
from scoring.errors import RedlineError


@pytest.mark.parametrize(
    ("text", "kind", "ratio", "slow_ns"),
    [
        ("rejected<=0.1%", GoalKind.REJECTED, 0.001, None),  # a percentage
        ("errors<=0.01", GoalKind.ERRORS, 0.01, None),  # a plain ratio
        ("timeouts <= 0.5%", GoalKind.TIMEOUTS, 0.005, None),  # spaces do not matter
        ("p95<=300ms", GoalKind.LATENCY, 0.05, 300_000_000),  # 5 % may be slower
        ("p99.9<=1s", GoalKind.LATENCY, 0.001, 1_000_000_000),  # a fraction of a percentile
        ("p50<20ms", GoalKind.LATENCY, 0.5, 20_000_000),  # < means <=
    ],
)
def test_a_goal_is_a_kind_a_ratio_and_maybe_a_latency(
    text: str, kind: GoalKind, ratio: float, slow_ns: int | None
) -> None:
    """Every form of the manual is understood, and the text stays as given."""
    goal = parse_goal(text)
    assert (goal.kind, goal.slow_ns, goal.text) == (kind, slow_ns, text)
    assert goal.allowed_ratio == pytest.approx(ratio)


@pytest.mark.parametrize(
    "text",
    ["", "p95", "p0<=1s", "p100<=1s", "errors<=0%", "errors<=100%", "p95<=fast", "p95<=0ms", "speed<=1%", "p95>=1s"],
)
def test_a_bad_goal_names_itself_and_the_allowed_forms(text: str) -> None:
    """A goal that cannot be read is refused with its own text and a form that can be typed."""
    with pytest.raises(RedlineError) as caught:
        parse_goal(text)
    assert f"`{text}`" in caught.value.message
    assert "p95<=300ms" in (caught.value.hint or "")


def test_defaults_stand_beside_a_latency_goal_and_give_way_to_their_own_kind() -> None:
    """A latency goal adds to the defaults; a goal of a default's kind takes its place."""
    assert with_defaults(["p95<=300ms"]) == ("rejected<=0.1%", "errors<=1%", "p95<=300ms")
    assert with_defaults(["rejected<=1%"]) == ("errors<=1%", "rejected<=1%")


GOALS = tuple(map(parse_goal, ("rejected<=0.1%", "errors<=1%", "timeouts<=1%", "p95<=300ms", "p99<=1s")))
COUNTS = Counts(
    elapsed_s=10.0,
    attempt_count=100,
    good_count=80,
    slow_count=(7, 2),
    labels={"200": 80, "503": 5, "429": 1, "deadline_exceeded": 3, "504": 1, "500": 2, "502": 6, "aborted": 2},
    rejected_count=9,
)


@pytest.mark.parametrize(
    ("place", "bad"),
    [
        (0, 6),  # rejected: 503 and 429
        (1, 12),  # errors: 100 less 80 good, 6 of no load, 2 aborted
        (2, 4),  # timeouts: deadline and 504
        (3, 19),  # p95: 12 not good and 7 good but slow
        (4, 14),  # p99: 12 not good and 2 slower than a second
    ],
)
def test_each_goal_counts_its_own_bad_answers(place: int, bad: int) -> None:
    """One set of counts serves every goal."""
    assert bad_count(GOALS[place], COUNTS, GOALS) == bad


def test_answers_that_say_nothing_about_load_are_no_evidence() -> None:
    """A 502 of a failing script and an aborted request count neither as good nor as bad."""
    assert evidence_count(COUNTS) == 92
