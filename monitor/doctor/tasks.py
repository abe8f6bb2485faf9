"""Edge: steps that run beside each other, each bounded in time; what a step cannot find out is a gap, not an end."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Generic, TypeVar

from monitor.doctor.facts import Gap
from scoring.errors import RedlineError

T = TypeVar("T")


class Task(Generic[T]):
    """One step in a thread that nobody waits for: Ctrl-C ends redline although an answer is still out."""

    def __init__(self, what: str, step: Callable[[], T | Gap]) -> None:
        self._what = what
        self._step = step
        self._done = Event()
        self._results: list[T | Gap] = []
        Thread(target=self._run, daemon=True).start()

    def within(self, seconds: float) -> T | Gap:
        """The result; a gap where it is not there in time, or where a RedlineError came."""
        if not self._done.wait(max(0.0, seconds)):
            return Gap(f"{self._what}: no answer within {seconds:.0f} s", is_error=True)
        if not self._results:
            raise RuntimeError(f"{self._what} failed; the thread's own words stand above")
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._step())
        except RedlineError as error:
            self._results.append(gap_of(error))
        finally:
            self._done.set()


def gap_of(error: RedlineError) -> Gap:
    """What the error says and what to do about it."""
    return Gap(error.message, error.hint, is_error=True)
