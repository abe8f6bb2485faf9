"""What a person sees while a run is under way: a live line on a terminal, else one line per finished trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TextIO

from scoring.text import harmless
from scoring.units import rate_number, show_count, show_ms


@dataclass(frozen=True, slots=True)
class Seen:
    """The latest of everything the run has told. None: not told yet."""

    users: int | None = None
    due_rps: float | None = None  # of an open loop
    purpose: str = ""
    rps: float | None = None
    p95_ms: float | None = None
    labels: tuple[tuple[str, int], ...] = ()
    rejected_count: int = 0
    harm_budget: int | None = None
    spent_s: float | None = None
    budget_s: float | None = None


def after(seen: Seen, message: dict[str, Any]) -> Seen:
    """What has been seen once `message` has come in. A trial starts with no rate and no answers of its own."""
    kind = message.get("kind")
    if kind == "trial":
        fresh = replace(seen, rps=None, p95_ms=None, labels=(), due_rps=message.get("due_rps"))
        return replace(fresh, users=message.get("users"), purpose=harmless(str(message.get("purpose", ""))))
    if kind != "tick":
        return seen
    labels = {**(message.get("labels") or {})}
    told = {
        name: message[name]
        for name in ("users", "due_rps", "rps", "p95_ms", "rejected_count", "harm_budget", "spent_s", "budget_s")
        if message.get(name) is not None
    }
    return replace(seen, **told, labels=tuple((harmless(str(label)), int(count)) for label, count in labels.items()))


def line_of(seen: Seen, message: dict[str, Any]) -> str | None:
    """The lasting line of a message: finished trials and notes have one, all else has none."""
    if message.get("kind") == "note":
        return f"note: {harmless(str(message.get('text', '')))}"
    if message.get("kind") != "trial_end":
        return None
    outcome = harmless(str(message.get("outcome") or "done"))
    why = harmless(str(message.get("why") or ""))
    return f"{_level(seen)}  {outcome:<9}  {_speed(seen)}  {why}".rstrip()


def live_text(seen: Seen) -> str:
    """Two lines: the level with what comes back at it, and what is used up of the budgets."""
    codes = "  ".join(f"{label}: {show_count(count)}" for label, count in sorted(seen.labels))
    return f"{_level(seen)}  {seen.purpose:<9}  {_speed(seen)}  {codes}".rstrip() + f"\n{_budgets(seen)}"


def _level(seen: Seen) -> str:
    if seen.due_rps is not None:
        return f"{rate_number(seen.due_rps):>5}/s due".ljust(11)
    count = "–" if seen.users is None else show_count(seen.users)
    return f"{count:>5} user{'' if seen.users == 1 else 's'}".ljust(11)


def _speed(seen: Seen) -> str:
    rate = "–" if seen.rps is None else f"{seen.rps:,.1f}"
    return f"{rate:>7} requests/s  p95 {show_ms(seen.p95_ms):>7}"


def _budgets(seen: Seen) -> str:
    parts = []
    if seen.harm_budget is not None:
        parts.append(f"rejected {show_count(seen.rejected_count)} of {show_count(seen.harm_budget)} allowed")
    if seen.spent_s is not None and seen.budget_s is not None:
        left_s = max(0.0, seen.budget_s - seen.spent_s)
        parts.append(f"{seen.spent_s:.0f} of {seen.budget_s:.0f} s used, {left_s:.0f} s left")
    return " · ".join(parts)


@contextmanager
def shown_on(stream: TextIO, *, quiet: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A listener for `drive.run`. Quiet: says nothing at all."""
    if quiet:
        yield lambda _message: None
    elif stream.isatty():
        with _live(stream) as show:
            yield show
    else:
        seen = Seen()

        def show_line(message: dict[str, Any]) -> None:
            nonlocal seen
            seen = after(seen, message)
            line = line_of(seen, message)
            if line is not None:
                print(line, file=stream, flush=True)

        yield show_line


@contextmanager
def _live(stream: TextIO) -> Iterator[Callable[[dict[str, Any]], None]]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(file=stream)
    seen = Seen()
    with Live(Text("connecting"), console=console, refresh_per_second=5, transient=True) as live:

        def show(message: dict[str, Any]) -> None:
            nonlocal seen
            seen = after(seen, message)
            line = line_of(seen, message)
            if line is not None:
                console.print(Text(line))
            live.update(Text(live_text(seen)))

        yield show
