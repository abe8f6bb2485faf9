"""The exit code of a verdict (contracts.md §2)."""

from __future__ import annotations

from capacity.verdict import Kind, Verdict
from scoring.attempt import UNREACHED, Failure
from scoring.errors import Exit
from scoring.status import AUTH

NO_ENTRY_LABELS = frozenset(
    {
        *(str(status) for status in AUTH),
        Failure.AUTH_FAILED,
        *UNREACHED,
    }
)
"""Labels of attempts that never reached the model: auth and network."""

_EXIT = {
    Kind.FOUND: Exit.FINE,
    Kind.AT_LEAST: Exit.FINE,
    Kind.MISSED_AT_ZERO_LOAD: Exit.MISSED,
    Kind.CLIENT_LIMITED: Exit.UNFAIR,
    Kind.NOT_STEADY: Exit.UNFAIR,
    Kind.BUDGET_SPENT: Exit.UNFAIR,
}
SIGINT_NUMBER = 2


def exit_of(verdict: Verdict, decision: str | None) -> Exit:
    """NO-GO is 1 whatever the verdict, unless redline could not get in."""
    if verdict.kind is Kind.NOT_A_LOAD_PROBLEM:
        return Exit.NO_ENTRY if NO_ENTRY_LABELS & verdict.first_seen.keys() else Exit.MISSED
    return Exit.MISSED if decision == "NO-GO" else _EXIT[verdict.kind]


def exit_of_signal(number: int) -> Exit:
    """130 for SIGINT; 143 for SIGTERM and for a closed terminal."""
    return Exit.INTERRUPTED if number == SIGINT_NUMBER else Exit.TERMINATED
