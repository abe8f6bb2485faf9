"""Metrics of a watcher in Prometheus' text format 0.0.4. Labels are names of redline.toml, never what a server said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from scoring.health import EndpointHealth, Health
from scoring.units import S

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass
class Histogram:
    """Latencies of good answers of one endpoint since the watcher began."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS_S))
    count: int = 0
    sum_s: float = 0.0

    def add(self, latency_s: float) -> None:
        self.count += 1
        self.sum_s += latency_s
        for place, bound_s in enumerate(BUCKETS_S):
            self.counts[place] += latency_s <= bound_s


@dataclass
class Tally:
    """Checks by endpoint and state, and their latencies, since the watcher began."""

    checks: Counter[tuple[str, Health]] = field(default_factory=Counter)
    latencies: dict[str, Histogram] = field(default_factory=dict)

    def count(self, health: EndpointHealth) -> None:
        self.checks[health.name, health.state] += 1
        if health.latency_ns is not None:
            self.latencies.setdefault(health.name, Histogram()).add(health.latency_ns / S)


@dataclass(frozen=True, slots=True)
class Readings:
    """What stands at this moment."""

    states: Mapping[str, Health]
    open_count: int
    missed: Mapping[str, int]
    late: Mapping[str, int]
    waiting: Mapping[str, int]
    under_way_count: int


def exposition(tally: Tally, now: Readings) -> str:
    """Every metric with its help and type."""
    blocks = (
        _family("redline_endpoint_state", "gauge", "1 for the state that is proved, 0 for the others.", _states(now)),
        _family("redline_checks_total", "counter", "Checks by endpoint and outcome.", _checks(tally)),
        _family("redline_check_latency_seconds", "histogram", "Latency of good answers.", _latencies(tally)),
        _family(
            "redline_checks_missed_total", "counter", "Checks that were due and not made.", _by("endpoint", now.missed)
        ),
        _family(
            "redline_checks_late_total", "counter", "Checks that began more than 5 s late.", _by("endpoint", now.late)
        ),
        _family("redline_notices_waiting", "gauge", "Notices not delivered yet.", _by("channel", now.waiting)),
        _family("redline_incidents_open", "gauge", "Incidents that are open.", [("", "", now.open_count)]),
        _family("redline_checks_under_way", "gauge", "Checks being made.", [("", "", now.under_way_count)]),
    )
    return "".join(line for block in blocks for line in block)


Sample = tuple[str, str, float]  # suffix of the name, labels, value


def _family(name: str, kind: str, words: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {words}\n# TYPE {name} {kind}\n"
    for suffix, labels, value in samples:
        yield f"{name}{suffix}{labels} {value:g}\n" if value != int(value) else f"{name}{suffix}{labels} {int(value)}\n"


def _states(now: Readings) -> Iterator[Sample]:
    for name, proved in now.states.items():
        for state in Health:
            yield "", _labels(endpoint=name, state=state.value), float(state is proved)


def _checks(tally: Tally) -> Iterator[Sample]:
    for (name, state), count in sorted(tally.checks.items()):
        yield "", _labels(endpoint=name, state=state.value), count


def _latencies(tally: Tally) -> Iterator[Sample]:
    for name, histogram in sorted(tally.latencies.items()):
        for bound_s, count in zip(BUCKETS_S, histogram.counts, strict=True):
            yield "_bucket", _labels(endpoint=name, le=f"{bound_s:g}"), count
        yield "_bucket", _labels(endpoint=name, le="+Inf"), histogram.count
        yield "_sum", _labels(endpoint=name), histogram.sum_s
        yield "_count", _labels(endpoint=name), histogram.count


def _by(label: str, values: Mapping[str, int]) -> Iterator[Sample]:
    for name, value in values.items():
        yield "", _labels(**{label: name}), value


def _labels(**labels: str) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + inner + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
