"""monitor.diagnosis.diagnose on small cases with values set by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.diagnosis import diagnose
from scoring.account import Account, Cell
from scoring.endpoint import Endpoint, Hosting
from scoring.served import Event, EventKind, Served, Source, Thrown
from scoring.told import ClientSide, Finding, Stretch, Told

T0 = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
AKS = Endpoint("churn", "http://127.0.0.1:1/score", Hosting.AKS, instances=2, max_concurrent=2)
RAISED = '{"message": "An unexpected error occurred in scoring script."}'
FULL = "Too many requests for service churn (overloaded)"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def client(number: int, status: int | None, **fields: object) -> Served:
    failure = "unexpected_status" if status is not None else None
    given = {"failure": failure, "duration_ms": 20.0, "request_id": f"{number:032x}", **fields}
    return Served(Source.CLIENT, at(number), status, **given)  # type: ignore[arg-type]


def account(source: Source, *cells: Cell, **fields: object) -> Account:
    times = [cell.at for cell in cells if cell.at is not None] or [T0]
    given = {"first_at": min(times), "last_at": max(times) + timedelta(seconds=59), **fields}
    return Account(source, cells, **given)  # type: ignore[arg-type]


def told(*failed: Served, accounts: tuple[Account, ...] = (), **fields: object) -> Told:
    return Told(AKS, None, None, accounts=accounts, failed=failed, **fields)  # type: ignore[arg-type]


def only(diagnosed: tuple[Finding, ...]) -> Finding:
    (finding,) = diagnosed
    return finding


def test_nothing_told_gives_nothing() -> None:
    """No source, no finding, no group, and no ratio rather than 0."""
    diagnosis = diagnose(Told(None, None, None))
    assert (diagnosis.findings, diagnosis.groups, diagnosis.joined_ratio, diagnosis.gap) == ((), (), None, None)


def test_a_401_that_a_renewal_explains_is_no_wrong_key() -> None:
    """The load generator says so itself; a 401 beside it that it does not explain keeps its own cause."""
    renewed = client(1, 401, body="key_auth_access_denied", reason="the credential was being renewed")
    findings = diagnose(told(renewed, client(2, 401, body="key_auth_access_denied"))).findings
    assert {(finding.rule, finding.count) for finding in findings} == {("D41", 1), ("D15", 1)}


def test_failures_beyond_the_kept_ones_follow_where_all_kept_ones_agree() -> None:
    """Three kept 503 with one cause explain the 97 that were only counted."""
    kept = [client(i, 503, body=FULL) for i in range(3)]
    cells = account(Source.CLIENT, Cell(T0, "200", 400), Cell(T0, "503", 100))
    diagnosis = diagnose(told(*kept, accounts=(cells,)))
    finding = only(diagnosis.findings)
    assert (finding.rule, finding.count) == ("D05", 100)
    assert [group.count for group in diagnosis.groups] == [100]


def test_failures_beyond_the_kept_ones_are_unknown_where_those_disagree() -> None:
    """Kept 502 of two causes say nothing of the 8 that were only counted."""
    kept = [client(0, 502, body="Replica closed connection before replying"), client(1, 502, function_failed=True)]
    cells = account(Source.CLIENT, Cell(T0, "502", 10))
    diagnosis = diagnose(told(*kept, accounts=(cells,)))
    assert sorted((finding.rule, finding.count) for finding in diagnosis.findings) == [
        ("D00", 8),
        ("D01", 1),
        ("D04", 1),
    ]
    assert diagnosis.unexplained == 8
    assert sum(group.count for group in diagnosis.groups) == 10


def test_an_attempt_whose_detail_was_not_kept_follows_the_detailed_ones() -> None:
    """The recorder keeps texts of the first failures only: the rest of that outcome is explained with them."""
    bare = [client(i, 502) for i in range(5, 9)]
    kept = [client(i, 502, body="Replica closed connection before replying") for i in range(5)]
    finding = only(diagnose(told(*kept, *bare)).findings)
    assert (finding.rule, finding.count) == ("D04", 9)
    assert "4 of 9 known by their outcome only" in finding.evidence


def test_a_failure_without_an_exception_follows_its_like() -> None:
    """Of ten failures that look the same, nine have an exception: so has the tenth, whose telemetry is not known."""
    failed = [client(i, 500, function_failed=True, body=RAISED) for i in range(10)]
    thrown = tuple(
        Thrown(Source.APP_INSIGHTS, at(i), "script", "KeyError", "'age'", "score.py:9 in run", request_id=f"{i:032x}")
        for i in range(9)
    )
    diagnosis = diagnose(told(*failed, thrown=thrown))
    finding = only(diagnosis.findings)
    assert (finding.rule, finding.count, finding.frame) == ("D01", 10, "score.py:9 in run")
    assert only_group(diagnosis.groups) == ("KeyError: 'age'", 10)


def only_group(groups: tuple[object, ...]) -> tuple[str, int]:
    (group,) = groups
    return group.cause, group.count  # type: ignore[attr-defined]


def test_two_exceptions_are_two_findings() -> None:
    """A person mends them one by one."""
    failed = [client(i, 500, function_failed=True, body=RAISED) for i in range(3)]
    types = ("KeyError", "KeyError", "ValueError")
    thrown = tuple(
        Thrown(Source.APP_INSIGHTS, at(i), "script", name, "bad", "score.py:9 in run", request_id=f"{i:032x}")
        for i, name in enumerate(types)
    )
    findings = diagnose(told(*failed, thrown=thrown)).findings
    assert [(finding.rule, finding.count) for finding in findings] == [("D01", 2), ("D01", 1)]


def test_ids_are_the_same_with_dashes_and_capitals() -> None:
    """The caller's 32 hex digits and the service's dashed capitals are one id."""
    row = replace(client(1, 500), request_id="0f8fad5bd9cb469fa16570867728950e")
    server = Served(Source.APP_INSIGHTS, at(1), 500, request_id="0F8FAD5B-D9CB-469F-A165-70867728950E", duration_ms=9.0)
    telemetry = account(Source.APP_INSIGHTS, Cell(T0, "500", 1), rows=(server,), rows_are_all=True)
    diagnosis = diagnose(told(row, accounts=(account(Source.CLIENT, Cell(T0, "500", 1)), telemetry)))
    assert (diagnosis.joined_ratio, diagnosis.looked_for, dict(diagnosis.joined_by)) == (1.0, 1, {"id": 1})
    assert diagnosis.gap is not None
    assert (diagnosis.gap.count, diagnosis.gap.p50_ms) == (1, 11.0)
    assert [row.source for row in diagnosis.worst[0].rows] == [Source.CLIENT, Source.APP_INSIGHTS]


def test_rows_without_ids_are_matched_by_time_and_status_once_each() -> None:
    """Two failures and one log line of that second: one is matched, and it is told as matched by time."""
    line = Served(Source.SERVICE_LOG, at(1), 500, instance="31")
    log = account(Source.SERVICE_LOG, Cell(T0, "500", 1), rows=(line,), rows_are_all=True)
    rows = (client(1, 500), client(2, 500))
    diagnosis = diagnose(told(*rows, accounts=(account(Source.CLIENT, Cell(T0, "500", 2)), log)))
    assert dict(diagnosis.joined_by) == {"time": 1}
    assert diagnosis.joined_ratio == 0.5
    assert diagnosis.gap is None


def test_a_missing_row_means_nothing_before_the_watermark() -> None:
    """A crash shown by absent telemetry is told only when the telemetry of that time has arrived."""
    row = client(60, 502, body="Replica closed connection before replying")
    for minutes, rule in ((0, "D04"), (5, "D02")):
        telemetry = account(
            Source.APP_INSIGHTS,
            Cell(T0, "200", 9),
            complete_until=T0 + timedelta(minutes=minutes),
            looked_up=frozenset({row.request_id}),
        )
        accounts = (account(Source.CLIENT, Cell(at(60), "502", 1)), telemetry)
        finding = only(diagnose(told(row, accounts=accounts)).findings)
        assert (finding.rule, finding.confidence) == (rule, "medium")


def test_many_failures_for_one_death_are_doubted() -> None:
    """One exit does not explain 200 failures of the same seconds: the confidence falls and says why."""
    rows = [
        replace(client(i, 502, body="Replica closed connection before replying"), at=at(i / 100)) for i in range(200)
    ]
    event = Event(Source.SERVICE_LOG, at(1), EventKind.WORKER_EXITED, "Worker (pid:31) exited with code 1")
    finding = only(diagnose(told(*rows, events=(event,))).findings)
    assert (finding.rule, finding.confidence) == ("D02", "medium")
    assert finding.counter_evidence == ("200 failures are many for 1 ends or starts of workers",)


def test_an_overload_tells_the_formula_with_its_figures() -> None:
    """rps 40, 0.35 s, target 0.7, 2 per replica: ceil(40 x 0.35 / 0.7 / 2) = 10."""
    cells = account(Source.CLIENT, Cell(T0, "200", 2_000), Cell(T0, "503", 400), Cell(at(60), "200", 1))
    side = ClientSide(is_fair=True, served_ms=350.0, stretches=(Stretch(at(-60), at(600), 12),))
    finding = only(diagnose(told(client(1, 503, body=FULL), accounts=(cells,), client=side)).findings)
    assert "ceil(40 rps x 0.35 s / 0.7 / 2) = 10 replicas; there are 2" in finding.evidence
    assert "the client held up to 12 requests at once; 4 are admitted" in finding.evidence


def test_rejections_that_end_when_replicas_come_are_scale_out_lag() -> None:
    """503 only in the first minute of a load that went on for ten."""
    side = ClientSide(is_fair=True, stretches=(Stretch(T0, at(300), 2), Stretch(at(300), at(1_200), 40)))
    cells = account(Source.CLIENT, Cell(at(300), "503", 1), *(Cell(at(60 * i), "200", 50) for i in range(20)))
    row = replace(client(1, 503, body=FULL), at=at(310))
    later = replace(client(1, 503, body=FULL), at=at(1_100))
    assert only(diagnose(told(row, accounts=(cells,), client=side)).findings).rule == "D07"
    still = account(Source.CLIENT, Cell(at(1_080), "503", 1), *cells.cells[1:])
    assert only(diagnose(told(later, accounts=(still,), client=side)).findings).rule == "D05"


def test_a_replica_that_closed_is_told_in_general_where_nothing_tells_more() -> None:
    """The body alone says that the replica closed, not why."""
    finding = only(diagnose(told(client(1, 502, body="Replica closed connection before replying"))).findings)
    assert (finding.rule, finding.confidence) == ("D04", "medium")
    assert any("--service-log" in text for text in finding.missing)


def test_an_open_endpoint_is_told_beside_the_failures() -> None:
    """D23 explains no failure: its count is 0, and it is there."""
    side = ClientSide(is_fair=True, answers_without_key=True)
    findings = diagnose(told(client(1, 503, body=FULL), client=side)).findings
    assert [(finding.rule, finding.count) for finding in findings] == [("D05", 1), ("D23", 0)]


def test_a_busy_generator_is_told_although_nothing_failed() -> None:
    """Times of a busy generator are too long even where every answer was good."""
    side = ClientSide(is_fair=False, cpu_ratio=0.98, reasons=("the load generator was busy",))
    finding = only(diagnose(told(client=side)).findings)
    assert (finding.rule, finding.count) == ("D21", 0)
    assert "the load generator used up to 98% of a core" in finding.evidence


def test_a_log_alone_shows_the_worker_that_died() -> None:
    """The requests of a dead worker have no line; its exit has one."""
    log = account(Source.SERVICE_LOG, Cell(T0, "200", 50))
    events = (
        Event(Source.SERVICE_LOG, at(-30), EventKind.SERVER_STARTED, "Starting gunicorn"),
        Event(Source.SERVICE_LOG, at(-29), EventKind.WORKER_BOOTED, "Booting worker with pid: 31"),
        Event(Source.SERVICE_LOG, at(50), EventKind.WORKER_EXITED, "Worker (pid:31) exited with code 1", code=1),
        Event(Source.SERVICE_LOG, at(50), EventKind.WORKER_BOOTED, "Booting worker with pid: 44"),
    )
    finding = only(diagnose(told(accounts=(log,), events=events)).findings)
    assert (finding.rule, finding.count, finding.first_at) == ("D02", 0, at(50))


def test_a_normal_start_and_stop_are_no_finding() -> None:
    """A worker that boots after the start, and ends after the stop, did not die."""
    log = account(Source.SERVICE_LOG, Cell(T0, "200", 50))
    events = (
        Event(Source.SERVICE_LOG, at(-30), EventKind.SERVER_STARTED, "Starting gunicorn"),
        Event(Source.SERVICE_LOG, at(-29), EventKind.WORKER_BOOTED, "Booting worker with pid: 31"),
        Event(Source.SERVICE_LOG, at(50), EventKind.SERVER_STOPPED, "Handling signal: term"),
        Event(Source.SERVICE_LOG, at(51), EventKind.WORKER_EXITED, "Worker exiting (pid: 31)"),
    )
    assert diagnose(told(accounts=(log,), events=events)).findings == ()


def test_periods_that_the_client_did_not_see_are_told_by_the_next_source() -> None:
    """A run of one minute inside an hour of traffic log: each failure is counted once, by the first that saw it."""
    run = account(Source.CLIENT, Cell(at(0), "503", 2))
    rows = tuple(Served(Source.TRAFFIC_LOG, at(1_800 + i), 429, reason="too_many_pending_request") for i in range(3))
    log = account(Source.TRAFFIC_LOG, Cell(at(0), "503", 2), Cell(at(1_800), "429", 3), rows=rows)
    failed = [client(i, 503, body=FULL) for i in range(2)]
    findings = diagnose(told(*failed, accounts=(run, log))).findings
    assert [(finding.rule, finding.count) for finding in findings] == [("D13", 3), ("D05", 2)]


def test_a_clock_that_is_apart_is_no_reason_to_miss_a_crash() -> None:
    """The service's clock is 90 s ahead, as its Date headers say: the exit in its log belongs to this failure."""
    row = client(10, 502, body="Replica closed connection before replying", headers=(("date", _http_date(at(100))),))
    event = Event(Source.SERVICE_LOG, at(101), EventKind.WORKER_EXITED, "exited", code=1)
    assert only(diagnose(told(row, events=(event,))).findings).rule == "D02"


def _http_date(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.mark.parametrize("hosting", [*Hosting, None])
def test_every_hosting_and_none_has_a_next_step(hosting: Hosting | None) -> None:
    """An endpoint whose hosting is not known is diagnosed, too."""
    endpoint = replace(AKS, hosting=hosting)
    rows = [client(i, status) for i, status in enumerate((401, 403, 404, 408, 409, 424, 429, 500, 502, 503, 504, 418))]
    findings = diagnose(Told(endpoint, None, None, failed=tuple(rows))).findings
    assert sum(finding.count for finding in findings) == len(rows)
    assert all(finding.next_step and finding.confidence != "high" for finding in findings)
