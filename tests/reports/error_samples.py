"""What endpoints of several hostings told, and what was concluded from it: whole, empty, partial, huge and hostile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from reports.errors import ErrorsReport, errors_report
from reports.errors_counts import Part
from scoring.account import BIN_RATIO, FINE_BIN_RATIO, Account, Cell, Problem, bin_of
from scoring.endpoint import Endpoint, Hosting
from scoring.served import Event, EventKind, Leak, LogTemplate, Served, Source, Thrown
from scoring.told import (
    ClientSide,
    Diagnosis,
    Finding,
    Gap,
    Group,
    MetricSeries,
    Point,
    Stretch,
    Told,
    Worst,
)

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MADE = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ENDPOINT = Endpoint(
    name="churn-prod",
    scoring_uri="https://churn.example.com/score",
    hosting=Hosting.MANAGED,
    auth="key",
    key_env="CHURN_KEY",
    deployment="blue",
    instances=2,
    max_concurrent=4,
)
NOTHING = Told(None, None, None)


def cells(
    minutes: Sequence[tuple[int, str, int, float]], *, bin_ratio: float = BIN_RATIO, deployment: str | None = None
) -> tuple[Cell, ...]:
    """A cell per (minute, label, count, milliseconds)."""
    return tuple(
        Cell(START + minute * MINUTE, label, count, bin_of(ms, bin_ratio), ms, deployment)
        for minute, label, count, ms in minutes
    )


def account(source: Source, found: tuple[Cell, ...], **more: Any) -> Account:
    """An account from the first cell's minute to the end of the last one's, read whole."""
    times = [cell.at for cell in found if cell.at is not None]
    end = max(times) + timedelta(seconds=59)
    known: dict[str, Any] = {"first_at": min(times), "last_at": end, "complete_until": end, "rows_are_all": True}
    return Account(source, found, **{**known, **more})


def parts_of(*accounts: Account) -> tuple[Part, ...]:
    """Accounts of which every cell counts."""
    return tuple(Part(one, one.cells) for one in accounts)


def overload_cells(bin_ratio: float = BIN_RATIO) -> tuple[Cell, ...]:
    """30 minutes of 100 answers of 20 and 40 ms; 429 in minutes 10 to 14, 424 in minute 20; nothing in 16 to 18."""
    told = []
    for minute in range(30):
        if minute in (16, 17, 18):
            continue
        told += [(minute, "200", 70, 20.0 + minute), (minute, "200", 30, 40.0 + minute)]
        if 10 <= minute < 15:
            told.append((minute, "429", 40, 2.0))
        if minute == 20:
            told.append((minute, "424", 6, 55.0))
    return cells(told, bin_ratio=bin_ratio, deployment="blue")


def managed() -> tuple[Told, Diagnosis]:
    """A managed endpoint: client, traffic log and App Insights tell, the event log too; the metrics may not be read."""
    seen = overload_cells(FINE_BIN_RATIO)
    client = account(
        Source.CLIENT,
        tuple(replace(cell, deployment=None) for cell in seen),
        bin_ratio=FINE_BIN_RATIO,
        exact_ms={"p50": 35.0, "p95": 62.0, "p99": 68.0, "max": 69.0},
    )
    traffic = account(Source.TRAFFIC_LOG, overload_cells())
    inner = tuple(replace(cell, label="500" if cell.label == "424" else cell.label) for cell in overload_cells())
    insights = account(
        Source.APP_INSIGHTS,
        tuple(cell for cell in inner if cell.label != "429"),
        corrected_rows=2706,
        columns_failed=0,
    )
    told = Told(
        ENDPOINT,
        START,
        START + 30 * MINUTE,
        accounts=(client, traffic, insights),
        problems=(
            Problem(
                Source.METRICS,
                "forbidden",
                "the metrics of churn-prod answered 403",
                "az role assignment create --role 'Monitoring Reader'",
            ),
        ),
        events=(
            Event(
                Source.EVENT_LOG, START + 20 * MINUTE, EventKind.READINESS_FAILED, "Readiness probe failed: HTTP 500"
            ),
            Event(Source.EVENT_LOG, START + 5 * MINUTE, EventKind.SCALED, "scaled to 2", code=2),
        ),
        client=ClientSide(
            is_fair=True,
            stretches=(Stretch(START, START + 9 * MINUTE, 8), Stretch(START + 9 * MINUTE, START + 15 * MINUTE, 20)),
            clock_ahead_s=0.4,
        ),
        asked=(Source.CLIENT, Source.TRAFFIC_LOG, Source.APP_INSIGHTS, Source.METRICS, Source.EVENT_LOG),
    )
    return told, _managed_diagnosis()


def _managed_diagnosis() -> Diagnosis:
    thrown = Thrown(
        Source.APP_INSIGHTS,
        START + 20 * MINUTE,
        "script",
        "ValueError",
        "Input contains NaN",
        frame="score.py:11 in run",
    )
    row = Served(
        Source.CLIENT,
        START + 20 * MINUTE,
        424,
        "unexpected_status",
        55.0,
        "0af7651916cd43dd8448eb211c80319c",
        model_status=500,
        server_ms=51.0,
        phases_ms=(("wait for first byte", 54.0), ("transfer", 1.0)),
    )
    inside = replace(row, source=Source.APP_INSIGHTS, status=500, duration_ms=51.0, where="AppRequests", phases_ms=())
    return Diagnosis(
        findings=_managed_findings(),
        groups=_managed_groups(),
        worst=(Worst((row, inside), thrown, ("app.log:120 ERROR ValueError: Input contains NaN",)),),
        gap=Gap(2700, 1.2, 4.0, 31.0),
        joined_ratio=0.97,
        looked_for=206,
        joined_by={"id": 200},
    )


def _managed_findings() -> tuple[Finding, ...]:
    return (
        Finding(
            "D13",
            "more requests were in flight than 2 x max_concurrent_requests_per_instance x instances = 16",
            "high",
            200,
            ("429",),
            ("200 answers of 429 within 5 minutes", "the client held 20 requests in flight"),
            ("none of the 200 came at 8 requests in flight or fewer",),
            "add instances, or raise max_concurrent_requests_per_instance",
            first_at=START + 10 * MINUTE,
            last_at=START + 15 * MINUTE,
        ),
        Finding(
            "D01",
            "run() raised ValueError: Input contains NaN",
            "high",
            6,
            ("424",),
            ("6 exceptions with the same request ids",),
            (),
            "look at score.py:11 in run",
            first_at=START + 20 * MINUTE,
            last_at=START + 20 * MINUTE,
            request_ids=("0af7651916cd43dd8448eb211c80319c",),
            frame="score.py:11 in run",
        ),
    )


def _managed_groups() -> tuple[Group, ...]:
    return (
        Group(
            "v1:aaaaaaaaaaaa",
            "429 too many pending",
            200,
            "429",
            "same status, same reason",
            START + 10 * MINUTE,
            START + 15 * MINUTE,
            by_label={"429": 200},
            deployments=("blue",),
            trend=(0, 0, 0, 40, 40, 40, 40, 40, 0, 0),
        ),
        Group(
            "v1:bbbbbbbbbbbb",
            "ValueError: Input contains NaN",
            6,
            "424",
            "same exception in the same function of the script",
            START + 20 * MINUTE,
            START + 20 * MINUTE,
            frame="score.py:11 in run",
            sample="ValueError: Input contains NaN",
            by_label={"424": 6},
            deployments=("blue",),
            trend=(0, 0, 0, 0, 0, 0, 6, 0, 0, 0),
            request_ids=("0af7651916cd43dd8448eb211c80319c",),
            thrown_count=6,
        ),
    )


def log_only() -> tuple[Told, Diagnosis]:
    """A local container of which only the service log is at hand: a secret and payloads in it, workers that exited."""
    told_cells = cells(
        [(0, "200", 90, 12.0), (1, "200", 80, 14.0), (1, "500", 10, 3.0), (2, "503", 20, 1.0)], bin_ratio=FINE_BIN_RATIO
    )
    found = account(
        Source.SERVICE_LOG,
        told_cells,
        bin_ratio=FINE_BIN_RATIO,
        undecodable_lines=1,
        other_count={"GET / 200": 12, "GET /.env 404": 3},
    )
    told = Told(
        None,
        None,
        None,
        accounts=(found,),
        events=(Event(Source.SERVICE_LOG, START + MINUTE, EventKind.WORKER_EXITED, "Worker (pid:9) exited", code=3),),
        leaks=(
            Leak(
                "bearer_token",
                12,
                "service_log app.log:9",
                "9f86d081884c",
                "run `az ml online-endpoint regenerate-keys`",
            ),
            Leak("payload_data", 200, "service_log app.log:4", "60303ae22b99", "log shapes of payloads, not payloads"),
        ),
        templates=(LogTemplate("disk <*> is full", 4, "W", "disk sda is full", START, START + MINUTE),),
        asked=(Source.SERVICE_LOG,),
    )
    unknown = Finding(
        "D00", "nothing that was read explains these", "low", 30, ("500", "503"), (), (), "add a run folder: --run DIR",
        missing=("what the client saw: redline load, then --run DIR",),
    )  # fmt: skip
    groups = (
        Group("v1:cccccccccccc", "503 overloaded", 20, "503", "same status", by_label={"503": 20}),
        Group("v1:dddddddddddd", "500 internal error", 10, "500", "same status", by_label={"500": 10}),
    )
    return told, Diagnosis(findings=(unknown,), groups=groups, unexplained=30)


def aks_metrics() -> tuple[Told, Diagnosis]:
    """An AKS service: App Insights sampled and cut short, with metrics minute by minute."""
    series = MetricSeries(
        "RequestLatency_P95",
        "MilliSeconds",
        "Average",
        (("deployment", "blue"),),
        tuple(Point(START + i * MINUTE, 40.0 + 10 * (i % 3)) for i in range(30)),
    )
    found = account(
        Source.APP_INSIGHTS, overload_cells(), is_sampled=True, is_partial=True, complete_until=START + 12 * MINUTE
    )
    told = Told(
        replace(ENDPOINT, name="churn-aks", hosting=Hosting.AKS),
        START,
        START + 30 * MINUTE,
        accounts=(found,),
        problems=(Problem(Source.APP_INSIGHTS, "partial", "2 of 9 time slices timed out", "ask for less: --since 1h"),),
        metrics=(series,),
        asked=(Source.APP_INSIGHTS, Source.METRICS),
    )
    return told, Diagnosis()


def fine() -> tuple[Told, Diagnosis]:
    """A run in which nothing failed."""
    found = account(Source.CLIENT, cells([(i, "200", 100, 20.0) for i in range(5)]))
    told = Told(ENDPOINT, START, START + 5 * MINUTE, accounts=(found,), client=ClientSide(True), asked=(Source.CLIENT,))
    return told, Diagnosis()


def all_failed() -> tuple[Told, Diagnosis]:
    """Every request met a refused connection, and nothing tells a duration."""
    found = account(Source.CLIENT, tuple(Cell(START + i * MINUTE, "connect_refused", 10) for i in range(3)))
    finding = Finding(
        "D19", "nothing listens at the port", "medium", 30, ("connect_refused",), ("30 refused connections",), (),
        "check the port and that it runs",
    )  # fmt: skip
    told = Told(ENDPOINT, START, START + 3 * MINUTE, accounts=(found,), client=ClientSide(True), asked=(Source.CLIENT,))
    return told, Diagnosis(findings=(finding,))


def unread() -> tuple[Told, Diagnosis]:
    """Nothing could be read: one source forbade it, the other timed out."""
    problems = (
        Problem(Source.APP_INSIGHTS, "forbidden", "the workspace answered 403", "grant `Log Analytics Reader`"),
        Problem(Source.TRAFFIC_LOG, "timed_out", "the query took longer than 10 min", "ask for less: --since 1h"),
    )
    asked = (Source.APP_INSIGHTS, Source.TRAFFIC_LOG)
    return Told(ENDPOINT, START, START + 30 * MINUTE, problems=problems, asked=asked), Diagnosis()


def quiet() -> tuple[Told, Diagnosis]:
    """App Insights was read whole, and there is nothing in the period."""
    problem = Problem(Source.APP_INSIGHTS, "no_data", "no request in the period", "ask for more: --since 7d")
    told = Told(ENDPOINT, START, START + 30 * MINUTE, problems=(problem,), asked=(Source.APP_INSIGHTS,))
    return told, Diagnosis()


def huge() -> tuple[Told, Diagnosis]:
    """A million attempts of 3,000 outcomes in 120 minutes, thousands of groups, events, leaks and log lines."""
    found = [
        Cell(START + minute * MINUTE, "200", 80, bin_of(5 + minute + step, FINE_BIN_RATIO), 5.1 + minute + step)
        for minute in range(120)
        for step in range(100)
    ]
    found += [
        Cell(START + (i % 120) * MINUTE, str(300 + i % 600) if i < 600 else f"odd_{i}", 14, 700 + i % 90, 4.5 + i)
        for i in range(3000)
    ]
    client = account(Source.CLIENT, tuple(found), bin_ratio=FINE_BIN_RATIO)
    long = "lorem ipsum dolor sit amet " * 200
    groups = tuple(
        Group(f"v1:{i:012x}", f"Error{i}: {long}", 14, str(300 + i % 300), long, START, START + MINUTE, "score.py:1",
              long, {"500": 14}, tuple(f"d{j}" for j in range(50)), tuple(f"i{j}" for j in range(500)), (1,) * 24)
        for i in range(3000)
    )  # fmt: skip
    findings = tuple(
        Finding("D01", long, "high", 10, ("500",), (long,) * 20, (long,) * 20, long, (long,) * 20) for _ in range(200)
    )
    row = Served(
        Source.CLIENT, START, 500, None, 9.0, "a" * 32, body=long, detail=long, phases_ms=(("wait", 9.0),) * 50
    )
    told = Told(
        ENDPOINT,
        START,
        START + 120 * MINUTE,
        accounts=(client,),
        events=tuple(
            Event(Source.EVENT_LOG, START + i * MINUTE / 60, EventKind.KILLING, f"{i} {long}") for i in range(7000)
        ),
        leaks=tuple(Leak(f"type_{i}", 3, f"service_log app{i}.log:{i + 1}", f"{i:012x}", long) for i in range(2000)),
        templates=tuple(LogTemplate(f"{i} {long}", 5, "E", long) for i in range(1000)),
        metrics=tuple(
            MetricSeries(
                f"M{i}_P95", "ms", "Average", (("a", long),), tuple(Point(START + j * MINUTE, 1.0) for j in range(1440))
            )
            for i in range(90)
        ),
        asked=(Source.CLIENT,),
    )
    worst = tuple(Worst((row,) * 9, None, (long,) * 50) for _ in range(200))
    return told, Diagnosis(findings=findings, groups=groups, worst=worst)


ALL: dict[str, Callable[[], tuple[Told, Diagnosis]]] = {
    "managed": managed,
    "log_only": log_only,
    "aks_metrics": aks_metrics,
    "fine": fine,
    "all_failed": all_failed,
    "unread": unread,
    "quiet": quiet,
}


def report(name: str = "managed", **more: Any) -> ErrorsReport:
    """The report of a sample."""
    return of(*ALL[name](), **more)


def of(told: Told, diagnosis: Diagnosis, **more: Any) -> ErrorsReport:
    """The report of any told and diagnosis, made at a fixed time."""
    given = {"made_at": MADE, "tool_version": "0.1.0", "command": "redline report errors churn-prod --since 24h"}
    return errors_report(told, diagnosis, **{**given, **more})
