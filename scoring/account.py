"""One source's account of a period: how many requests, with which outcome, how long they took.

Everything is kept in cells, counts per time bucket, deployment, outcome and logarithmic bin of the duration, so that an
account of a billion requests is as small as one of a thousand, and any two can be added.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scoring.served import Served, Source

BIN_RATIO = 1.02
"""Upper edge over lower edge of a duration bin that a service counts in. The geometric middle is off by at most 1 %."""
LOG_BIN_RATIO = math.log(BIN_RATIO)
FINE_BIN_RATIO = 1.002
"""The same where redline reads the durations itself: off by at most 0.1 %."""
LEAST_MS = 0.01
"""Durations up to here, 0 included, share one bin and are told as 0."""
LEAST_BIN = -100_000
AROUND = timedelta(seconds=30)
"""How far beyond a source's first and last request another source is taken to tell of the same requests."""


@dataclass(frozen=True, slots=True)
class Cell:
    """`count` requests of one outcome. `at` is the start of its time bucket; None where the source tells no time."""

    at: datetime | None
    label: str  # a status, or a client's failure class
    count: int
    bin: int | None = None  # of the duration; None where none was told
    max_ms: float | None = None  # the longest duration in the cell, exact
    deployment: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a source could not be read, or not whole. One word for programs, a sentence and a next step for people."""

    source: Source
    outcome: str  # one of OUTCOMES
    sentence: str
    next_step: str


OUTCOMES = (
    "partial",  # rows came, and some are missing
    "no_data",  # read whole, and there is nothing in the period
    "not_yet",  # switched on, or asked, too recently for rows to have arrived
    "missing_table",
    "missing_column",
    "wrong_workspace",
    "forbidden",
    "no_credential",
    "throttled",
    "timed_out",
    "unreachable",
    "bad_answer",  # an HTML page, an empty body, a 204
    "refused_query",
    "failed",
)


@dataclass(frozen=True)
class Account:
    """What one source tells of scoring requests (POST to the scoring path) between two instants.

    `rows` are single requests, for joining: all of them when `rows_are_all`, else failures, the slowest, and the ones
    that were looked up by id. A looked-up id without a row is a request that the source never saw.
    """

    source: Source
    cells: tuple[Cell, ...]
    bucket_s: int = 60
    bin_ratio: float = BIN_RATIO
    first_at: datetime | None = None
    last_at: datetime | None = None
    complete_until: datetime | None = None  # watermark: rows before it have arrived
    corrected_rows: int = 0  # requests whose standard columns contradicted what the server wrote beside them
    columns_failed: int | None = None  # failures that the standard columns alone would show
    is_sampled: bool = False
    is_partial: bool = False
    undecodable_lines: int = 0
    other_count: Mapping[str, int] = field(default_factory=dict)  # "GET /swagger.json 200" → n: not scoring requests
    rows: tuple[Served, ...] = ()
    rows_are_all: bool = False
    looked_up: frozenset[str] = frozenset()  # request ids that were asked for one by one
    exact_ms: Mapping[str, float] | None = None  # "p50", "p95", "p99", "max" where every duration was at hand

    @property
    def requests(self) -> int:
        return sum(cell.count for cell in self.cells)

    @property
    def by_label(self) -> dict[str, int]:
        """Requests by outcome: statuses in order, then failure classes."""
        return by_label(self.cells)


def by_label(cells: Iterable[Cell]) -> dict[str, int]:
    """Requests by outcome: statuses in order, then failure classes."""
    counts: Counter[str] = Counter()
    for cell in cells:
        counts[cell.label] += cell.count
    return dict(sorted(counts.items(), key=lambda item: (not item[0].isdigit(), item[0])))


def is_good(label: str) -> bool:
    """True for the statuses of an answer: 2xx. Everything else counts as failed."""
    return len(label) == 3 and label.startswith("2") and label.isdigit()


def bin_of(duration_ms: float, bin_ratio: float = BIN_RATIO) -> int:
    """The bin of a duration: floor(ln ms / ln ratio).

    >>> bin_of(12.5), bin_of(0.0) == LEAST_BIN
    (127, True)
    """
    if duration_ms <= LEAST_MS:
        return LEAST_BIN
    return math.floor(math.log(duration_ms) / math.log(bin_ratio))


def middle_ms(number: int, bin_ratio: float = BIN_RATIO) -> float:
    """The geometric middle of a bin, in milliseconds.

    >>> round(middle_ms(127), 2)
    12.49
    """
    return 0.0 if number == LEAST_BIN else math.exp((number + 0.5) * math.log(bin_ratio))


def percentile_ms(cells: Iterable[Cell], share: float, bin_ratio: float = BIN_RATIO) -> float | None:
    """Nearest-rank percentile of the durations, right within half a bin; None where no duration was told.

    Never above the longest duration of the bin it falls into.
    """
    counts: Counter[int] = Counter()
    longest: dict[int, float] = {}
    for cell in cells:
        if cell.bin is not None:
            counts[cell.bin] += cell.count
            longest[cell.bin] = max(longest.get(cell.bin, 0.0), cell.max_ms if cell.max_ms is not None else math.inf)
    total = counts.total()
    if not total:
        return None
    rank, seen = max(1, math.ceil(share * total)), 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= rank:
            return min(middle_ms(number, bin_ratio), longest[number])
    raise AssertionError("the ranks of a sum do not exceed it")


def max_ms(cells: Iterable[Cell]) -> float | None:
    """The longest duration told; None where there is none."""
    return max((cell.max_ms for cell in cells if cell.max_ms is not None), default=None)


def durations_ms(account: Account) -> dict[str, float | None]:
    """p50, p95, p99 and max of the account: exact where every duration was at hand, else from the bins."""
    if account.exact_ms is not None:
        return dict(account.exact_ms)
    shares = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
    found = {name: percentile_ms(account.cells, share, account.bin_ratio) for name, share in shares.items()}
    return {**found, "max": max_ms(account.cells)}


def told_first(accounts: Iterable[Account]) -> dict[Source, tuple[Cell, ...]]:
    """The cells that count, by source: each period from the first source, in the order of trust, that tells of it.

    A source tells of the time from its first request to its last, and a little around it, since the clocks of two
    sources differ. A bucket of another one counts where it lies wholly outside.
    """
    told: dict[Source, tuple[Cell, ...]] = {}
    covered: list[tuple[datetime, datetime]] = []
    order = list(Source)
    for account in sorted(accounts, key=lambda one: order.index(one.source)):
        bucket, is_first = timedelta(seconds=account.bucket_s), not told
        taken = tuple(cell for cell in account.cells if _is_untold(cell, bucket, covered, is_first))
        if taken:
            told[account.source] = told.get(account.source, ()) + taken
        if account.first_at is not None and account.last_at is not None and account.cells:
            covered.append((_moved(account.first_at, -AROUND), _moved(account.last_at, AROUND)))
    return told


def _is_untold(cell: Cell, bucket: timedelta, covered: list[tuple[datetime, datetime]], is_first: bool) -> bool:
    """Cells without a time count only when nobody else tells anything."""
    at = cell.at
    if at is None:
        return is_first
    until_at = _moved(at, bucket)
    return not any(at <= end and until_at >= start for start, end in covered)


def _moved(at: datetime, by: timedelta) -> datetime:
    """The instant so much later, as far as the calendar goes: logs hold any year."""
    try:
        return at + by
    except OverflowError:
        return at
