"""A load report as a real run leaves it."""

from __future__ import annotations

from dataclasses import replace

from capacity.verdict import Cost
from reports.load import LoadReport, Percentile, Schedule, Threshold
from tests.reports.samples import ENDPOINT, FAIR, facts, level


def load(**changed: object) -> LoadReport:
    """`redline load` at 6 users for 30 s, with one threshold kept and one missed."""
    values: dict[str, object] = {
        "endpoint": ENDPOINT,
        "level": level(6, seconds=30.0),
        "percentiles": (
            Percentile("p50", 20.2, 20.1, 20.3, 20.2, corrected_ms=20.2),
            Percentile("p90", 24.1, 23.9, 24.3, 24.2, corrected_ms=24.2),
            Percentile("p95", 26.7, 26.3, 27.2, 27.0, corrected_ms=27.1),
            Percentile("p99", 33.0, 31.9, 34.4, 34.1, corrected_ms=34.2),
            Percentile("p99.9", 44.9, 40.2, 58.8, 47.0, corrected_ms=47.1),
            Percentile("max", 59.2, None, None, 61.0, corrected_ms=59.2),
        ),
        "thresholds": (Threshold("rejected<=0.1%", True, 0, 8824), Threshold("p95<=20ms", False, 4700, 8824)),
        "rejected_count": 0,
        "client": FAIR,
        "cost": Cost(seconds=30.0, attempt_count=8824),
        "run": "20261122T210000Z-load-churn-prod",
        "run_facts": facts(command="redline load churn-prod --users 6 --for 30s --threshold 'p95<=20ms'"),
        "mean_ms": 20.4,
        "received_bytes": 388_256,
    }
    return LoadReport(**{**values, **changed})  # type: ignore[arg-type]


def schedule(**changed: object) -> Schedule:
    """A steady 300 requests per second for 30 s, all of it sent."""
    values: dict[str, object] = {
        "first_rps": 300.0,
        "last_rps": None,
        "spacing": "poisson",
        "replay": None,
        "speed": None,
        "pool_count": 1000,
        "due_count": 9012,
        "sent_count": 9012,
        "late_count": 9,
        "unsent_count": 0,
        "exhausted_count": 0,
        "due_rps": 300.4,
        "sent_rps": 300.4,
        "latest_ms": 3.2,
        "in_flight_max": 21,
    }
    return Schedule(**{**values, **changed})  # type: ignore[arg-type]


def open_load(**changed: object) -> LoadReport:
    """`redline load --rps 300` against an endpoint that stood still for a while."""
    level_at = replace(
        level(6, seconds=30.0),
        users=30_000,  # hundredths of a request per second
        due_count=9012,
        late_count=9,
        p99_from_due_ms=1892.0,
        in_flight_mean=6.1,
    )
    values: dict[str, object] = {
        "level": level_at,
        "percentiles": (Percentile("p99", 33.0, 31.9, 34.4, 1892.0, 1850.0, 1911.0),),
        "schedule": schedule(),
        "mean_from_due_ms": 160.0,
        "run_facts": facts(command="redline load churn-prod --rps 300 --for 30s"),
    }
    return load(**{**values, **changed})
