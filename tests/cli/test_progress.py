"""What is shown while a run is under way."""

from __future__ import annotations

import io
from typing import Any

from capacity.progress import Seen, after, line_of, live_text, shown_on

TICK: dict[str, Any] = {
    "kind": "tick",
    "users": 8,
    "elapsed_s": 2.0,
    "rps": 395.2,
    "p95_ms": 24.1,
    "labels": {"200": 812, "503": 3},
    "rejected_count": 3,
    "spent_s": 12.0,
    "budget_s": 180.0,
    "harm_budget": 300,
}


def test_the_live_text_tells_level_rate_p95_codes_and_what_is_left() -> None:
    """Everything the run has told stands in two lines."""
    text = live_text(after(after(Seen(), {"kind": "trial", "users": 8, "purpose": "climb"}), TICK))
    for part in ("8 users", "395.2 requests/s", "p95 24.1 ms", "200: 812", "503: 3", "climb"):
        assert part in text
    assert "rejected 3 of 300 allowed · 12 of 180 s used, 168 s left" in text


def test_what_is_not_told_is_a_dash() -> None:
    """Before the first tick there is no rate, and none is shown as zero."""
    text = live_text(after(Seen(), {"kind": "trial", "users": 1, "purpose": "warm-up"}))
    assert "1 user " in text
    assert "– requests/s" in text
    assert "0.0 requests/s" not in text


def test_a_new_trial_forgets_the_rate_of_the_last_one() -> None:
    """Rate and codes belong to one trial, budgets to the run."""
    seen = after(after(Seen(), TICK), {"kind": "trial", "users": 16, "purpose": "climb"})
    assert (seen.users, seen.rps, seen.labels) == (16, None, ())
    assert (seen.rejected_count, seen.harm_budget) == (3, 300)


def test_without_a_terminal_only_finished_trials_and_notes_are_told() -> None:
    """A log file gets one line per trial."""
    stream = io.StringIO()
    with shown_on(stream, quiet=False) as show:
        show({"kind": "trial", "users": 8, "purpose": "climb"})
        show(TICK)
        show({"kind": "trial_end", "users": 8, "outcome": "pass", "why": "0 of 812 bad"})
        show({"kind": "note", "text": "disk full"})
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].split()[:3] == ["8", "users", "pass"]
    assert lines[0].endswith("0 of 812 bad")
    assert lines[1] == "note: disk full"


def test_quiet_tells_nothing() -> None:
    """With --quiet not one byte is written."""
    stream = io.StringIO()
    with shown_on(stream, quiet=True) as show:
        show({"kind": "trial_end", "users": 8, "outcome": "pass", "why": ""})
    assert stream.getvalue() == ""


def test_foreign_text_in_a_message_is_harmless() -> None:
    """A control sequence in a label or a reason does not reach the terminal."""
    line = line_of(after(Seen(), {**TICK, "labels": {"\x1b[2J": 1}}), {"kind": "note", "text": "\x1b]8;;x\x07"})
    assert "\x1b" not in (line or "")
    assert "\x1b" not in live_text(after(Seen(), {**TICK, "labels": {"\x1b[2J": 1}}))


def test_a_rate_stands_in_place_of_users() -> None:
    """An open loop has none: the line begins with the rate at which requests are due."""
    seen = after(Seen(), {"kind": "trial", "due_rps": 52.1, "purpose": "rise"})
    assert live_text(seen).startswith(" 52.1/s due  rise ")
    ended = line_of(seen, {"kind": "trial_end", "due_rps": 52.1, "outcome": "pass", "why": "p95<=1s: 0 of 9 bad"})
    assert ended is not None
    assert ended.startswith(" 52.1/s due  pass ")
    assert "user" not in live_text(seen) + ended
