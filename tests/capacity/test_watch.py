"""The sequential tests that end a trial."""

from __future__ import annotations

from dataclasses import replace

from capacity.goals import Counts, parse_goal
from capacity.watch import Rule, Watch

REJECTED = (parse_goal("rejected<=0.1%"),)
LATENCY = (parse_goal("p95<=300ms"),)


def rule(goals: tuple, **changes: object) -> Rule:
    values = {
        "goals": goals,
        "min_s": 1.0,
        "max_s": 10.0,
        "enough": 48,
        "batch_s": 0.1,
        "rejections": 12,
        "rejections_per_answer": 0.004,
    }
    return Rule(**{**values, **changes})  # type: ignore[arg-type]


def counts(elapsed_s: float, good: int, *, slow: int = 0, rejected: int = 0, **labels: int) -> Counts:
    told = {"200": good, **({"503": rejected} if rejected else {}), **{k.strip("_"): v for k, v in labels.items()}}
    return Counts(elapsed_s, sum(told.values()), good, (slow,), told, rejected)


def test_three_rejections_are_chance_and_a_fourth_fails_the_level() -> None:
    """At an allowed 0.1 % four early rejections lie beyond the error bound of 1 %: 4 ln 4 > ln 100 > 3 ln 4."""
    watch = Watch(rule(REJECTED))
    assert watch.see(counts(0.1, 40, rejected=3)) is None
    assert watch.see(counts(0.2, 60, rejected=4)) == "fail"


def test_a_clean_level_passes_only_after_its_time_and_answers() -> None:
    """Neither the time nor the answers alone let a clean level pass."""
    watch = Watch(rule(REJECTED))
    assert watch.see(counts(0.9, 400)) is None
    assert watch.see(counts(1.0, 401)) == "pass"
    assert Watch(rule(REJECTED)).see(counts(2.0, 47)) is None


def test_one_stall_does_not_fail_a_latency_goal() -> None:
    """Sixteen slow answers in one batch are one piece of news; the same spread over batches fail the level."""
    stalled = Watch(rule(LATENCY))
    assert stalled.see(counts(0.1, 16, slow=16)) is None
    spread = Watch(rule(LATENCY))
    answers = [spread.see(counts(0.1 * i, 4 * i, slow=4 * i)) for i in range(1, 5)]
    assert answers[0] is None
    assert "fail" in answers


def test_a_marginal_level_runs_on() -> None:
    """5.5 % slow answers where 5 % are allowed lie between pass and fail: no decision."""
    watch = Watch(rule(LATENCY))
    assert all(watch.see(counts(0.2 * i, 200 * i, slow=11 * i)) is None for i in range(1, 6))


def test_a_wrong_key_ends_a_trial_at_once() -> None:
    """Three answers of 401 are no matter of load, whatever the goals."""
    assert Watch(rule(REJECTED)).see(counts(-0.1, 0, _401=3)) == "not_load"


def test_failing_scripts_end_a_trial_when_they_are_more_than_one_in_a_hundred() -> None:
    """Eight 502 among 100 answers end it, eight among 10,000 do not."""
    assert Watch(rule(REJECTED)).see(counts(0.5, 92, _502=8)) == "not_load"
    assert Watch(rule(REJECTED)).see(counts(0.5, 9992, _502=8)) is None


def test_rejections_in_the_transient_end_a_trial() -> None:
    """More than twelve rejections before anything is counted are harm enough."""
    before = Counts(-0.5, 0, 0, (), {}, 13)
    assert Watch(rule(REJECTED)).see(before) == "allowance"


def test_a_confirming_hold_passes_when_the_bound_lies_within_the_goal() -> None:
    """0 of 2,994 bad has a 95 % bound of 0.10001 %, 0 of 2,995 one of 0.09998 %: -ln 0.05 / n."""
    assert Watch(rule(REJECTED, confirm=True)).see(counts(5.0, 2_994)) is None
    assert Watch(rule(REJECTED, confirm=True)).see(counts(5.0, 2_995)) == "pass"


def test_rejections_of_the_transient_keep_a_clean_stretch_from_passing() -> None:
    """Two users were told to come back in a second: 800 ms without them say nothing about the level."""
    early = Counts(2.0, 400, 400, (), {"200": 400}, 2)
    assert Watch(rule(REJECTED)).see(early) is None
    assert Watch(rule(REJECTED)).see(Counts(2.0, 400, 400, (), {"200": 400}, 0)) == "pass"


def test_a_close_look_counts_its_rejections_against_all_its_answers() -> None:
    """13 rejections before anything counts end a quick trial; of 5,000 answers they are no sign of anything."""
    counts = Counts(-1.0, 0, 0, (), {}, 13, answered_count=5000)
    quick = Rule((parse_goal("rejected<=1%"),), 1.0, 10.0, 100, 0.1, 12, 0.04)
    assert Watch(quick).see(counts) == "allowance"
    assert Watch(replace(quick, patient_s=10.0)).see(counts) is None
