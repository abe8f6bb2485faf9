"""A load report as a real run leaves it."""

from __future__ import annotations

from capacity.verdict import Cost
from reports.load import LoadReport, Percentile, Threshold
from tests.reports.samples import ENDPOINT, FAIR, facts, level


def load(**changed: object) -> LoadReport:
    """`redline load` at 6 users for 30 s, with one threshold kept and one missed."""
    values: dict[str, object] = {
        "endpoint": ENDPOINT,
        "level": level(6, seconds=30.0),
        "percentiles": (
            Percentile("p50", 20.2, 20.1, 20.3, 20.2),
            Percentile("p90", 24.1, 23.9, 24.3, 24.2),
            Percentile("p95", 26.7, 26.3, 27.2, 27.0),
            Percentile("p99", 33.0, 31.9, 34.4, 34.1),
            Percentile("p99.9", 44.9, 40.2, 58.8, 47.0),
            Percentile("max", 59.2, None, None, 61.0),
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
