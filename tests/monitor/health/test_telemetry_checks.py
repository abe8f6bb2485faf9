"""Checks that ask Azure Monitor, over real sockets: lies, lateness, samples, refusals, and answers that never come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.health.telemetry_checks import Asker
from monitor.health.telemetry_judging import Asked
from scoring.checkplan import CheckPlan
from scoring.health import CheckResult, Health
from scoring.settings import read_settings
from scoring.telemetrygoals import parse_metric_goal, parse_telemetry_goal
from tests.cli.serving import GOOD, Served, serving
from tests.localazure.asking import Asking
from tests.monitor.azure import canned

RATIO, AGE = "failed_ratio(15m)<=1%", "telemetry_age<=30m"
COUNT = 30


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A managed endpoint whose script raises on some of 30 requests, all of them told in its telemetry."""
    folder = tmp_path_factory.mktemp("served")
    flags = ("--hosting", "managed", "--service-time", "1ms", "--telemetry-flush", "50ms", "--error-ratio", "30%")
    with serving(folder, *flags, "--seed", "3") as served:
        for _ in range(COUNT):
            served.score(GOOD)
        asking = Asking(served.ready)
        asking.count_once("requests | count", COUNT)
        asking.close()
        yield served


def plan_of(*texts: str, role: str | None = None) -> CheckPlan:
    """Goals of metrics are those that telemetry does not know."""
    telemetry = [text for text in texts if text.startswith(("failed_ratio", "telemetry_age"))]
    metrics = [text for text in texts if text not in telemetry]
    return CheckPlan(
        telemetry=tuple(map(parse_telemetry_goal, telemetry)),
        metrics=tuple(map(parse_metric_goal, metrics)),
        telemetry_role=role,
    )


def asker(served: Served, *texts: str, role: str | None = None, limit_s: float = 30.0, **changed: Any) -> Asker:
    endpoint = replace(read_settings(served.config).endpoints["local"], **changed)
    return Asker(endpoint, plan_of(*texts, role=role), limit_s=limit_s)


def one(asked: Asked) -> CheckResult:
    (check,) = asked.checks
    return check


def request(served: Served, number: int, code: str, age: timedelta = timedelta(0), **more: Any) -> dict[str, Any]:
    """A row as the inference server sends it: 0 and success in the columns, the truth in the dimensions."""
    told = {"resultCode": code, "success": str(code == "200"), "Container Id": "c", "Request Id": f"r-{number}"}
    body = {"id": f"i-{number}", "name": "POST /score", "duration": "0.00:00:00.010", "responseCode": "0"}
    role = {"ai.cloud.role": more.pop("role", "churn")}
    item = served.item("Request", {**body, "success": True, "properties": told}, at=datetime.now(UTC) - age, **role)
    return item | more


def test_codes_come_from_the_dimensions(served: Served) -> None:
    """Every standard column says success; the failures of the script are found all the same, and it is said how."""
    check = one(asker(served, "failed_ratio(1h)<=1%").asked())
    asking = Asking(served.ready)
    failed = asking.rows("requests | where customDimensions['resultCode'] == '500' | count")[0][0]
    lies = asking.rows("requests | where success == 'False' or resultCode != '0' | count")[0][0]
    asking.close()
    assert (lies, failed > 2) == (0, True)
    assert (check.outcome, check.reason) == (Health.FAILED, "failed_ratio_high")
    assert f"of {COUNT} requests failed ({failed};" in check.evidence
    assert f"{COUNT} statuses from the dimensions" in check.evidence


def test_a_role_alone_is_judged_where_endpoints_share_a_component(served: Served) -> None:
    """Forty good requests of another role are OK for that role; the role that fails stays what it is."""
    assert served.send([request(served, number, "200", role="other") for number in range(40)]) == 40
    good = one(asker(served, RATIO, role="OTHER").asked())
    assert (good.outcome, "of 40 requests failed (0;" in good.evidence) == (Health.OK, True)
    assert one(asker(served, RATIO, role="nobody").asked()).reason == "no_traffic"


def test_rows_that_arrive_late_are_waited_for(served: Served) -> None:
    """Rows 20 minutes late: their failures are counted by a window that is longer, and unknown to a shorter one."""
    late = timedelta(minutes=20)
    assert served.send([request(served, 100 + number, "500", late, role="late") for number in range(5)]) == 5
    found = asker(served, RATIO, "failed_ratio(1h)<=1%", AGE, role="late").asked()
    assert [check.reason for check in found.checks] == ["telemetry_late", "failed_ratio_high", "ok"]
    assert "rows take 20 min" in found.checks[0].evidence


def test_telemetry_that_stopped_is_missing(served: Served) -> None:
    """The newest row of the role is 40 minutes old: DEGRADED for the age, and no traffic for the share."""
    old = timedelta(minutes=40)
    assert served.send([request(served, 200, "200", old, role="gone")]) == 1
    found = asker(served, AGE, role="gone").asked()
    assert (one(found).outcome, one(found).reason) == (Health.DEGRADED, "telemetry_missing")
    assert "is 40 min" in one(found).evidence


def test_sampled_rows_count_by_their_weight_and_prove_by_their_number(served: Served) -> None:
    """One failed row of three at 1 %: 100 of 300 requests, and no proof."""
    codes = ("200", "200", "500")
    rows = [request(served, 300 + at, code, role="thin", sampleRate=1.0) for at, code in enumerate(codes)]
    assert served.send(rows) == 3
    check = one(asker(served, RATIO, role="thin").asked())
    assert check.outcome is Health.DEGRADED
    assert "of 300 requests failed (100;" in check.evidence
    assert "sampled, worth 3" in check.evidence


def test_metrics_are_held_to_their_bounds(served: Served) -> None:
    """CPU, memory and latency of the endpoint as the metrics API tells them; a deployment that is none is not found."""
    found = asker(
        served,
        "blue/CpuMemoryUtilizationPercentage(5m)<=90%",
        "blue/CpuMemoryUtilizationPercentage(5m)<=39%",
        "RequestLatency_P95(5m)<=1h",
        "green/CpuUtilizationPercentage(5m)<=90%",
    ).asked()
    assert [check.reason for check in found.checks] == ["ok", "metric_high", "ok", "metrics_not_found"]
    assert found.checks[1].evidence.startswith("40 % of local-blue-0 in the middle of")
    assert found.state is Health.DEGRADED


def test_a_query_that_hangs_is_given_up_and_no_second_one_is_sent(served: Served) -> None:
    """After the limit the telemetry is UNKNOWN, metrics are told all the same, and the next time nothing is asked."""
    asking = asker(served, RATIO, "blue/CpuMemoryUtilizationPercentage(5m)<=90%", limit_s=2.0)
    served.faults({"hang": True})
    first = asking.asked()
    assert [check.reason for check in first.checks] == ["telemetry_timed_out", "ok"]
    second = asking.asked()
    assert second.checks[0].evidence.endswith("the last question has no answer yet")
    assert second.checks[1].outcome is Health.OK


def test_a_part_of_the_rows_proves_nothing(served: Served) -> None:
    """An answer that says PartialError is unknown."""
    served.faults({"delay_s": 0}, {"partial": True})
    assert one(asker(served, RATIO).asked()).reason == "telemetry_partial"


def test_without_a_credential_nothing_is_known(served: Served, tmp_path: Path) -> None:
    """Nobody is asked to sign in; both sources are unknown, each with its reason."""
    gone = str(tmp_path / "no-token")
    found = asker(served, AGE, "RequestLatency(5m)<=1s", azure_token_file=gone).asked()
    assert [check.reason for check in found.checks] == ["telemetry_no_credential", "metrics_no_credential"]


def test_authorities_that_cannot_be_read_leave_it_unknown(served: Served, tmp_path: Path) -> None:
    """A ca_file that is gone breaks nothing: neither source is reached, and the file is named."""
    found = asker(served, AGE, "RequestLatency(5m)<=1s", ca_file=str(tmp_path / "gone.pem")).asked()
    assert [check.reason for check in found.checks] == ["telemetry_unreachable", "metrics_unreachable"]
    assert all("gone.pem" in check.evidence for check in found.checks)


def test_an_endpoint_whose_metrics_are_nowhere_is_told_so(served: Served) -> None:
    """Neither metrics_url nor the address of a managed endpoint says where they are."""
    check = one(asker(served, "RequestLatency(5m)<=1s", metrics_url=None).asked())
    assert (check.reason, "metrics_url says so" in check.evidence) == ("metrics_unreachable", True)


REFUSALS = [
    (canned.error(403, "InsufficientAccessError"), "telemetry_forbidden"),
    (canned.error(401, "InvalidAuthenticationTokenError"), "telemetry_no_credential"),
    (canned.error(404, "WorkspaceNotFoundError"), "telemetry_not_found"),
    (
        canned.error(400, "BadArgumentError", "SEM0100", message="Failed to resolve scalar expression"),
        "telemetry_refused",
    ),
    (canned.error(504, "GatewayTimeout"), "telemetry_timed_out"),
    (canned.Reply(204), "telemetry_unreachable"),
    (canned.Reply(200, b"<html>", {"Content-Type": "text/html"}), "telemetry_unreachable"),
]


@pytest.mark.parametrize(("reply", "reason"), REFUSALS, ids=[reason for _, reason in REFUSALS])
def test_a_workspace_that_refuses_leaves_it_unknown(reply: canned.Reply, reason: str, tmp_path: Path) -> None:
    """An outage of the workspace is no outage of the endpoint."""
    asked, _ = of_canned({"*": reply}, tmp_path, RATIO)
    assert (one(asked).outcome, one(asked).reason) == (Health.UNKNOWN, reason)


def test_a_workspace_that_is_asked_too_often_is_left_alone(tmp_path: Path) -> None:
    """A 429 that asks for two minutes is not asked again, and the wish is handed on."""
    busy = canned.error(429, "TooManyRequests", Retry_After="120")
    asked, names = of_canned({"*": busy}, tmp_path, RATIO, AGE)
    assert {check.reason for check in asked.checks} == {"telemetry_throttled"}
    assert (asked.retry_after_s, names) == (120.0, ["telemetry_arrivals"])


def test_a_wish_for_silence_is_heeded_for_an_hour_at_most(tmp_path: Path) -> None:
    """A workspace that asks for a day is asked again after an hour all the same."""
    asked, _ = of_canned({"*": canned.error(429, "TooManyRequests", Retry_After="86400")}, tmp_path, AGE)
    assert asked.retry_after_s == 3600.0


def test_a_component_is_asked_by_the_names_it_knows(tmp_path: Path) -> None:
    """Without a workspace `requests` first; where there is no such table, `AppRequests`."""
    gone = canned.error(
        400, "BadArgumentError", "SEM0100", message="Failed to resolve table or column expression named 'x'"
    )
    fresh = [5, "2026-03-01T11:59:58Z", 1000.0, "2026-03-01T12:00:00Z"]
    replies = {"telemetry_arrivals": [gone, canned.table("telemetry_arrivals", fresh)]}
    component = "/subscriptions/s/components/c"
    asked, names = of_canned(replies, tmp_path, AGE, workspace_id=None, app_insights_id=component)
    assert one(asked).evidence == "the newest request row is 2.00 s old, the bound is 30 min 0 s"
    assert names == ["telemetry_arrivals", "telemetry_arrivals"]


def of_canned(replies: dict[str, Any], folder: Path, *texts: str, **more: Any) -> tuple[Asked, list[str]]:
    """What a service with these replies makes of the goals, and what it was asked."""
    token = folder / "token"
    token.write_text("a-token")
    with canned.serving(replies) as azure:
        endpoint = azure.endpoint(azure_token_file=str(token), **more)
        return Asker(endpoint, plan_of(*texts)).asked(), azure.asked
