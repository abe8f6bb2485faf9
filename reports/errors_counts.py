"""What the counts come to: requests by outcome, the share that failed, and how long requests took.

Each period is counted from the first source that tells of it (`scoring.account.told_first`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from capacity.stats import nearest_rank, percentile_interval, wilson
from scoring.account import Account, Cell, by_label, durations_ms, is_good, middle_ms, told_first
from scoring.served import Source
from scoring.told import Told

SHARES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
MAX_DEPLOYMENTS = 6


@dataclass(frozen=True)
class Part:
    """The cells of one source that count, and its whole account."""

    account: Account
    cells: tuple[Cell, ...]

    @property
    def is_whole(self) -> bool:
        """Every cell of the account counts."""
        return len(self.cells) == len(self.account.cells)


@dataclass(frozen=True, slots=True)
class Quantile:
    """One percentile of durations with its 95 % interval; None where too few were counted, or they are estimates."""

    name: str
    ms: float | None
    low_ms: float | None = None
    high_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """Durations of `count` requests: nearest-rank percentiles, and the longest."""

    count: int
    quantiles: tuple[Quantile, ...]
    max_ms: float | None

    def quantile(self, name: str) -> Quantile:
        return next((one for one in self.quantiles if one.name == name), Quantile(name, None))

    def ms(self, name: str) -> float | None:
        return self.max_ms if name == "max" else self.quantile(name).ms


@dataclass(frozen=True, slots=True)
class Spread:
    """Durations in order: each value with the number of durations up to and including it."""

    values_ms: tuple[float, ...]
    ends: tuple[int, ...]

    @property
    def count(self) -> int:
        return self.ends[-1] if self.ends else 0

    def at(self, rank: int) -> float:
        """The duration at a rank from 0 on."""
        return self.values_ms[bisect_right(self.ends, rank)]


@dataclass(frozen=True, slots=True)
class Success:
    """Answered requests among all, with the 95 % Wilson interval; the interval is None for sampled counts."""

    good_count: int
    total_count: int
    low_ratio: float | None
    high_ratio: float | None

    @property
    def failed_count(self) -> int:
        return self.total_count - self.good_count

    @property
    def failed_ratio(self) -> float | None:
        return self.failed_count / self.total_count if self.total_count else None


@dataclass(frozen=True, slots=True)
class Matrix:
    """Requests by outcome and deployment. `left_out` deployments stand together in the last column, "others"."""

    deployments: tuple[str, ...]
    rows: Mapping[str, tuple[int, ...]]
    left_out: int = 0


def counted_parts(told: Told) -> tuple[Part, ...]:
    """What counts, by source in the order of trust; empty where no source tells of any request."""
    accounts = {account.source: account for account in reversed(told.accounts)}
    return tuple(Part(accounts[source], cells) for source, cells in told_first(told.accounts).items())


def counts(parts: Iterable[Part]) -> dict[str, int]:
    """Requests by outcome over all parts: statuses in order, then failure classes."""
    return by_label(cell for part in parts for cell in part.cells)


def success(by_label: Mapping[str, int], *, is_sampled: bool) -> Success:
    """Answered requests among all those counted."""
    total = sum(by_label.values())
    good = sum(count for label, count in by_label.items() if is_good(label))
    if is_sampled or not total:
        return Success(good, total, None, None)
    low, high = wilson(good, total)
    return Success(good, total, low, high)


def latency(parts: Iterable[Part]) -> Latency:
    """Durations of all parts: exact where one source tells all and had each at hand, else from the bins."""
    known = tuple(parts)
    sampled = any(part.account.is_sampled for part in known)
    found = latency_of(((cell, part.account.bin_ratio) for part in known for cell in part.cells), is_sampled=sampled)
    if len(known) != 1 or not known[0].is_whole or not found.count:
        return found
    exact = durations_ms(known[0].account)
    quantiles = tuple(_around(one, exact.get(one.name)) for one in found.quantiles)
    return Latency(found.count, quantiles, exact.get("max"))


def _around(one: Quantile, exact_ms: float | None) -> Quantile:
    """The quantile at its exact value; its interval, which comes from the bins, holds it."""
    if exact_ms is None or one.low_ms is None or one.high_ms is None:
        return Quantile(one.name, one.ms if exact_ms is None else exact_ms, one.low_ms, one.high_ms)
    return Quantile(one.name, exact_ms, min(one.low_ms, exact_ms), max(one.high_ms, exact_ms))


def latency_of(cells: Iterable[tuple[Cell, float]], *, is_sampled: bool) -> Latency:
    """Percentiles of cells, each with the bin ratio of its account. Sampled counts have no interval."""
    kept = tuple(cells)
    spread = spread_of(kept)
    longest = max((cell.max_ms for cell, _ in kept if cell.max_ms is not None), default=None)
    return Latency(spread.count, quantiles_of(spread, is_sampled=is_sampled), longest)


def quantiles_of(spread: Spread, *, is_sampled: bool) -> tuple[Quantile, ...]:
    """p50, p95 and p99 of the durations; their values are None where there are none."""
    if not spread.count:
        return tuple(Quantile(name, None) for name, _ in SHARES)
    return tuple(_quantile(name, share, spread, is_sampled=is_sampled) for name, share in SHARES)


def _quantile(name: str, share: float, spread: Spread, *, is_sampled: bool) -> Quantile:
    ranks = range(spread.count)
    value = spread.at(int(nearest_rank(ranks, share)))
    interval = None if is_sampled else percentile_interval(ranks, share)
    if interval is None:
        return Quantile(name, value)
    low, high = interval
    return Quantile(name, value, spread.at(int(low)), spread.at(int(high)))


def spread_of(cells: Iterable[tuple[Cell, float]]) -> Spread:
    """The durations of cells in order: of each bin its middle, or its longest duration where that is less."""
    in_bin: Counter[tuple[float, int]] = Counter()
    longest: dict[tuple[float, int], float] = {}
    for cell, bin_ratio in cells:
        if cell.bin is not None:
            key = (bin_ratio, cell.bin)
            in_bin[key] += cell.count
            top = float("inf") if cell.max_ms is None else cell.max_ms
            if top > longest.get(key, -1.0):
                longest[key] = top
    values = sorted((min(middle_ms(number, ratio), longest[ratio, number]), n) for (ratio, number), n in in_bin.items())
    return Spread(tuple(ms for ms, _ in values), tuple(accumulate(n for _, n in values)))


def matrix(parts: Iterable[Part]) -> Matrix | None:
    """Requests by outcome and deployment, the busiest deployments first; None where no source names one."""
    found: Counter[tuple[str, str]] = Counter()
    for part in parts:
        for cell in part.cells:
            found[cell.label, cell.deployment or ""] += cell.count
    names: Counter[str] = Counter()
    for (_, deployment), count in found.items():
        names[deployment] += count
    ordered = sorted((name for name in names if name), key=lambda name: (-names[name], name))
    if not ordered:
        return None
    shown, rest = ordered[:MAX_DEPLOYMENTS], {*ordered[MAX_DEPLOYMENTS:]} | ({""} & names.keys())
    rows = {
        label: tuple(found[label, name] for name in shown)
        + ((sum(found[label, name] for name in rest),) if rest else ())
        for label in {label for label, _ in found}
    }
    return Matrix((*shown, *(("others",) if rest else ())), rows, len(rest))


def by_source(told: Told) -> dict[Source, Account]:
    """The account of each source that gave one, in the order of trust."""
    accounts = {account.source: account for account in reversed(told.accounts)}
    return {source: accounts[source] for source in Source if source in accounts}
