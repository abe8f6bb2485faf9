"""Many questions, each over a period, at most five at a time, each in as many slices as it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Protocol

from monitor.kql import Query, Value, written
from monitor.outcomes import Outcome
from monitor.rows import Row
from monitor.slices import Came, Slice, Slices

AT_ONCE = 5
"""Azure Monitor Logs runs five queries of one user at a time and queues the rest."""

Progress = Callable[[str, int, int], None]


class Asks(Protocol):
    def ask(self, query: Query, part: Slice) -> Reply: ...


class Reply(Protocol):
    @property
    def rows(self) -> list[Row]: ...
    @property
    def outcome(self) -> Outcome | None: ...


@dataclass
class Replies:
    """Everything that came for one question. `missing` are periods without rows, or with cut ones."""

    rows: list[Row] = field(default_factory=list)
    outcome: Outcome | None = None  # the first refusal, or `partial`
    missing: list[Slice] = field(default_factory=list)

    @property
    def was_read(self) -> bool:
        """Rows came, or it is known that there are none."""
        return self.outcome is None or bool(self.rows)


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: the name of its file, the family of tables, and values beside the period that it is asked about."""

    key: str
    name: str
    family: str
    values: Mapping[str, Value]
    period: Slice


_Done = tuple[Ask, Slice, Reply | None]


def ask_all(workspace: Asks, asks: Sequence[Ask], on_progress: Progress | None = None) -> dict[str, Replies]:
    """The replies to every question, by key. No order of the rows is promised."""
    slices = {ask.key: Slices(ask.period) for ask in asks}
    replies = {ask.key: Replies() for ask in asks}
    done: SimpleQueue[_Done] = SimpleQueue()
    under_way = 0
    while True:
        for ask in asks:
            while under_way < AT_ONCE and (part := slices[ask.key].next()) is not None:
                Thread(target=_answer, args=(workspace, ask, part, done), daemon=True).start()
                under_way += 1
        if not under_way:
            return replies
        ask, part, reply = done.get()
        under_way -= 1
        if reply is None:
            raise RuntimeError(f"asking {ask.name} failed; the thread's own words stand above")
        _take(slices[ask.key], replies[ask.key], part, reply)
        if on_progress is not None:
            told = [one for state in slices.values() for one in (*state.whole, *state.missing)]
            left = sum(len(state.to_ask) + len(state.under_way) for state in slices.values())
            on_progress("queries to Azure Monitor", len(told), len(told) + left)


def _answer(workspace: Asks, ask: Ask, part: Slice, done: SimpleQueue[_Done]) -> None:
    """In a thread that nobody waits for: Ctrl-C ends redline although an answer is still out."""
    reply = None
    try:
        reply = _asked(workspace, ask, part)
    finally:
        done.put((ask, part, reply))


def _asked(workspace: Asks, ask: Ask, part: Slice) -> Reply:
    values = {"from_at": part.from_at, "until_at": part.until_at, **ask.values}
    return workspace.ask(written(ask.name, ask.family, values), part)


def _take(state: Slices, replies: Replies, part: Slice, reply: Reply) -> None:
    outcome = reply.outcome
    if state.came(part, _what_came(outcome)):
        replies.rows.extend(reply.rows)
    replies.missing = list(state.missing)
    if part in state.missing and replies.outcome is None:
        replies.outcome = outcome


def _what_came(outcome: Outcome | None) -> Came:
    if outcome is None:
        return Came.WHOLE
    if outcome.is_cut:
        return Came.CUT
    return Came.LATE if outcome.is_late else Came.REFUSED
