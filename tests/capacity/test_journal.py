"""What is read back from a run that ended, or was ended."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity.evidence import PAUSE
from capacity.goals import DEFAULT_GOALS
from capacity.journal import asked_of, ended_line, history_from, opened_line, unfinished_verdict
from capacity.plan import Plan
from capacity.search import Pause, Trial, next_step
from capacity.summary import RECORD_DTYPE, Rows, Seen, seen
from capacity.validity import Health
from capacity.verdict import Kind, Verdict
from scoring.attempt import FAILURE_NUMBER, FLAG_TRANSIENT, Failure
from tests.capacity.histories import paused
from tests.capacity.model import Model
from tests.capacity.verdicts import endpoint

PLAN = Plan("limit", endpoint(), goals=DEFAULT_GOALS, max_users=32)
ASKED = asked_of(PLAN)
BEGAN_NS = 86_400_000_000_000
Line = dict[str, Any]


def record_of(trial: Trial, model: Model, opened_s: float) -> Rows:
    """The attempts of one trial as they stand in attempts.bin: monotonic times, the transient flagged."""
    left = iter(range(min(trial.allowance, 12) - 1, -1, -1))
    told = model.run(trial.level, trial.transient_s + trial.rule.min_s, lambda row: row[3] == 503 and not next(left))
    rows = np.zeros(len(told), dtype=RECORD_DTYPE)
    for row, (due_s, sent_s, latency_s, status) in zip(rows, told, strict=True):
        row["due_ns"], row["sent_ns"] = (BEGAN_NS + round(time_s * 1e9) for time_s in (due_s, sent_s))
        row["done_ns"] = BEGAN_NS + round((sent_s + latency_s) * 1e9)
        row["status"] = status or 0
        row["failure"] = FAILURE_NUMBER[None if status == 200 else Failure.UNEXPECTED_STATUS]
        row["flags"] = FLAG_TRANSIENT if sent_s - opened_s < trial.transient_s else 0
        row["trial"] = trial.number
    return rows


def summed_up(trial: Trial, rows: Rows, opened_s: float, seconds: float) -> Seen:
    """What the search saw of them, with a client that told its lag and was fair."""
    own = rows.copy()
    for name in ("due_ns", "sent_ns", "done_ns"):
        own[name] -= BEGAN_NS + round(opened_s * 1e9)
    return seen(
        own,
        trial.rule.goals,
        number=trial.number,
        level=trial.level,
        purpose=trial.purpose,
        started_s=opened_s,
        seconds=seconds,
        transient_s=trial.transient_s,
        batch_s=trial.rule.batch_s,
        ended_by="allowance" if (rows["status"] == 503).any() else "pass",
        client=Health(lag_p99_s=0.001),
    )


@cache
def run() -> tuple[tuple[Line, ...], Rows, tuple[Seen, ...], Verdict]:
    """A whole search of a cliff at 8 users, not ready for a second: its lines, attempts, history and verdict."""
    model, history, lines, rows = Model(spread=0.3, unready_s=1.0), [], [], []
    while True:
        step = next_step(ASKED, history)
        if isinstance(step, Verdict):
            return tuple(json.loads(json.dumps(lines))), np.concatenate(rows), tuple(history), step
        opened_s = model.now_s
        if isinstance(step, Pause):
            model.run(0, step.seconds)
            result = paused(step, number=len(history) + 1, started_s=opened_s)
        else:
            lines.append(opened_line(step, opened_s, BEGAN_NS + round(opened_s * 1e9)))
            rows.append(record_of(step, model, opened_s))
            result = summed_up(step, rows[-1], opened_s, model.now_s - opened_s)
            model.run(0, 1.0)
        history.append(result)
        lines.append(ended_line(result))


def differences(one: Seen, two: Seen) -> list[str]:
    """The fields in which two summaries differ."""
    pairs = ((field.name, getattr(one, field.name), getattr(two, field.name)) for field in fields(Seen))
    return [name for name, a, b in pairs if not (np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b)]


def test_lines_and_attempts_tell_the_whole_history() -> None:
    """Each trial and each pause comes back as it was seen, to the last digit."""
    lines, rows, history, _ = run()
    again = history_from(lines, rows, ASKED.goals)
    assert any(trial.purpose == PAUSE for trial in history)
    assert [differences(one, two) for one, two in zip(history, again, strict=True)] == [[]] * len(history)


def test_the_search_goes_on_from_what_was_read_as_it_would_have() -> None:
    """The verdict over the history read back is the verdict of the run, and every step before it the same step."""
    lines, rows, history, verdict = run()
    again = history_from(lines, rows, ASKED.goals)
    assert verdict.kind is Kind.FOUND
    assert next_step(ASKED, again) == verdict
    assert all(next_step(ASKED, again[:n]) == next_step(ASKED, history[:n]) for n in range(len(history)))


def test_the_order_of_attempts_does_not_matter() -> None:
    """Several workers' files are one after the other, not in the order of time."""
    lines, rows, history, _ = run()
    again = history_from(lines, rows[::-1], ASKED.goals)
    assert [differences(one, two) for one, two in zip(history, again, strict=True)] == [[]] * len(history)


def test_a_trial_told_twice_is_taken_as_last_told() -> None:
    """The line is written before the trial, and again when the instant of its opening is known."""
    lines, rows, history, _ = run()
    early = {**lines[0], "opened_ns": 0}
    (first, *_) = history_from([early, *lines], rows, ASKED.goals)
    assert differences(first, history[0]) == []


def test_a_trial_that_was_running_counts_as_stopped() -> None:
    """Its last attempt is the end of its time; it is no evidence, but it is harm and cost."""
    lines, rows, history, _ = run()
    assert (lines[-2]["kind"], lines[-1]["kind"]) == ("opened", "ended")
    again = history_from(lines[:-1], rows, ASKED.goals)
    assert again[-1].ended_by == "stopped"
    assert again[-1].attempt_count == history[-1].attempt_count
    assert 0 < again[-1].seconds <= history[-1].seconds + 1e-9
    verdict = unfinished_verdict(PLAN, lines[:-1], rows)
    assert (verdict.kind, verdict.interrupted) == (Kind.BUDGET_SPENT, True)
    assert "stopped" in verdict.reason
    assert verdict.cost.attempt_count == len(rows)


def test_a_run_killed_before_its_first_answer_has_a_verdict() -> None:
    """No lines, or one line and no attempts: nothing is known, and nothing made up."""
    lines, rows, _, _ = run()
    for told in ([], lines[:1]):
        verdict = unfinished_verdict(PLAN, told, rows[:0])
        assert (verdict.interrupted, verdict.binding, verdict.levels) == (True, None, ())
        assert verdict.cost.attempt_count == 0


def test_lines_of_another_kind_are_left_out() -> None:
    """What a later version may write beside them does not disturb."""
    lines, rows, history, _ = run()
    assert len(history_from([{"kind": "soak"}, *lines, {}], rows, ASKED.goals)) == len(history)


@given(st.data())
@settings(deadline=None, max_examples=80)
def test_a_run_cut_anywhere_is_read_up_to_there(data: st.DataObject) -> None:
    """Any part of the lines with any part of the attempts: trials in order, an interrupted verdict, no exception."""
    lines, rows, _, _ = run()
    kept = lines[: data.draw(st.integers(0, len(lines)))]
    verdict = unfinished_verdict(PLAN, kept, rows[: data.draw(st.integers(0, len(rows)))])
    numbers = [trial.number for trial in verdict.trials]
    assert verdict.interrupted
    assert numbers == sorted({line["number"] for line in kept})


@given(st.data())
@settings(deadline=None, max_examples=80)
def test_lost_lines_lose_their_trials_alone(data: st.DataObject) -> None:
    """A disk that refused some lines does not make the others unreadable."""
    lines, rows, _, _ = run()
    kept = [line for line in lines if data.draw(st.booleans())]
    verdict = unfinished_verdict(PLAN, kept, rows)
    assert len(verdict.trials) == len({line["number"] for line in kept})
    assert verdict.cost.attempt_count <= len(rows)


@pytest.mark.parametrize(("ratio", "budget_s", "harm"), [(0.001, 600.0, 300), (0.001, 60.0, 20)])
def test_a_plan_says_what_the_search_is_asked(ratio: float, budget_s: float, harm: int) -> None:
    """Goals, cap and budgets are those of the plan."""
    asked = asked_of(Plan("limit", endpoint(), goals=DEFAULT_GOALS, max_users=32, budget_s=budget_s, harm_budget=harm))
    assert (asked.max_level, asked.budget_s, asked.harm_budget) == (32, budget_s, harm)
    assert asked.goals[0].allowed_ratio == ratio
