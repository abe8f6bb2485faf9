"""What the exit code says (contracts: FOUND 0, missed 1, unfair 3, no entry 4)."""

from __future__ import annotations

import pytest

from capacity.exits import exit_of, exit_of_signal
from capacity.verdict import Client, Cost, Kind, Verdict
from scoring.errors import Exit


def _verdict(kind: Kind, label: str = "200") -> Verdict:
    return Verdict(
        kind=kind,
        reason="because",
        limits=(),
        binding_goal=None,
        first_rejected_users=None,
        knee_users=None,
        peak_rps=0.0,
        levels=(),
        rejected_count=0,
        client=Client(valid=True, reasons=()),
        cost=Cost(seconds=1.0, attempt_count=1),
        first_seen={label: 1},
    )


@pytest.mark.parametrize(
    ("kind", "label", "decision", "code"),
    [
        (Kind.FOUND, "200", None, 0),
        (Kind.FOUND, "200", "GO", 0),
        (Kind.FOUND, "200", "NO-GO", 1),
        (Kind.AT_LEAST, "200", None, 0),
        (Kind.MISSED_AT_ZERO_LOAD, "200", None, 1),
        (Kind.CLIENT_LIMITED, "200", None, 3),
        (Kind.CLIENT_LIMITED, "200", "NOT ENOUGH DATA", 3),
        (Kind.NOT_STEADY, "200", None, 3),
        (Kind.BUDGET_SPENT, "503", None, 3),
        (Kind.NOT_A_LOAD_PROBLEM, "401", None, 4),
        (Kind.NOT_A_LOAD_PROBLEM, "401", "NO-GO", 4),
        (Kind.NOT_A_LOAD_PROBLEM, "dns_not_found", None, 4),
        (Kind.NOT_A_LOAD_PROBLEM, "connect_refused", None, 4),
        (Kind.NOT_A_LOAD_PROBLEM, "tls_expired", None, 4),
        (Kind.NOT_A_LOAD_PROBLEM, "404", None, 1),
        (Kind.NOT_A_LOAD_PROBLEM, "body_invalid", None, 1),
    ],
)
def test_the_exit_code_is_the_one_of_the_table(kind: Kind, label: str, decision: str | None, code: int) -> None:
    """Each verdict has one exit code; NO-GO is 1, unless redline could not get in."""
    assert exit_of(_verdict(kind, label), decision) == code


@pytest.mark.parametrize("kind", Kind)
def test_every_verdict_has_an_exit_code(kind: Kind) -> None:
    """No kind of verdict was forgotten."""
    assert isinstance(exit_of(_verdict(kind), None), Exit)


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, 143), (1, 143)])
def test_a_signal_has_the_exit_code_a_shell_expects(number: int, code: int) -> None:
    """SIGINT is 130; SIGTERM and a closed terminal are 143."""
    assert exit_of_signal(number) == code
