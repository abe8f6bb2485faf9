"""What Azure Monitor answers instead of rows, over a real socket and through the real client: each its own outcome."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from monitor import azure as monitor_azure
from scoring.endpoint import Hosting
from scoring.served import Source
from tests.monitor.azure.canned import (
    COMPONENT_ID,
    ENDPOINT_ID,
    JSON,
    SINCE_AT,
    UNTIL_AT,
    AnyToken,
    Reply,
    counts,
    error,
    outcomes,
    serving,
    table,
    watermark,
)

UNRESOLVED = "'where' operator: Failed to resolve {} named 'x'"

REFUSALS = {
    "no data, 204": (Reply(204), "bad_answer"),
    "an empty 200": (Reply(200, b"", JSON), "bad_answer"),
    "a gateway's page": (Reply(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}), "bad_answer"),
    "a page with 200": (Reply(200, b"<html>Sign in</html>", {"Content-Type": "text/html"}), "bad_answer"),
    "JSON that is cut": (Reply(200, b'{"tables": [{"name": "Prim', JSON), "bad_answer"),
    "JSON that is no result": (Reply(200, b"{}", JSON), "bad_answer"),
    "JSON that is a list": (Reply(200, b"[1]", JSON), "bad_answer"),
    "a result without a table": (Reply(200, b'{"tables": []}', JSON), "bad_answer"),
    "a table without the columns": (
        Reply(
            200,
            b'{"tables": [{"name": "PrimaryResult", "columns": [{"name": "x", "type": "long"}], "rows": []}]}',
            JSON,
        ),
        "bad_answer",
    ),
    "no token": (error(401, "AuthenticationFailed"), "no_credential"),
    "a token for another audience": (error(403, "InvalidAuthenticationTokenAudience"), "no_credential"),
    "no right": (error(403, "InsufficientAccessError"), "forbidden"),
    "a workspace that is none": (error(400, "BadArgumentError", "FailedToResolveResource"), "wrong_workspace"),
    "a path that is none": (error(404, "PathNotFoundError"), "wrong_workspace"),
    "too many requests": (error(429, "ThrottledError"), "throttled"),
    "too many, for an hour": (error(429, "ThrottledError", Retry_After="3600"), "throttled"),
    "500": (error(500, "InternalServerError"), "failed"),
    "503": (error(503, "ServiceUnavailable"), "failed"),
    "a table that is none": (
        error(
            400, "BadArgumentError", "SemanticError", "SEM0100", message=UNRESOLVED.format("table or column expression")
        ),
        "missing_table",
    ),
    "a column that is none": (
        error(400, "BadArgumentError", "SemanticError", "SEM0100", message=UNRESOLVED.format("scalar expression")),
        "missing_column",
    ),
    "a query that is none": (error(400, "BadArgumentError", "SyntaxError", "SYN0002"), "refused_query"),
    "a connection that is cut": (Reply(None), "unreachable"),
    "no time left": (error(504, "GatewayTimeout"), "timed_out"),
    "a request that timed out": (error(408, "RequestTimeout"), "timed_out"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_told_and_is_no_zero(case: str) -> None:
    """No account, one outcome for each source that was asked, with a next step."""
    reply, word = REFUSALS[case]
    with serving({"*": reply}) as azure:
        told = azure.tell()
    assert told.accounts == ()
    asked = outcomes(told)
    assert (asked[Source.APP_INSIGHTS], asked[Source.TRAFFIC_LOG]) == (word, word)
    assert {Source.APP_INSIGHTS, Source.TRAFFIC_LOG} <= set(told.asked)


def test_nobody_listens() -> None:
    """A refused connection is told as such."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving({}) as azure:
        told = azure.tell(logs_url=f"http://127.0.0.1:{port}")
    assert set(outcomes(told).values()) == {"unreachable"}


class NoToken:
    """A credential that has none to give."""

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        raise ClientAuthenticationError(message="DefaultAzureCredential failed to retrieve a token")


def test_no_credential_can_be_had() -> None:
    """The chain of credentials ends without a token: told, and nothing is sent or tried again."""
    with serving({}) as azure:
        told = monitor_azure.tell(
            azure.endpoint(), SINCE_AT, UNTIL_AT, credential=NoToken(), sleep=azure.slept_s.append
        )
    assert set(outcomes(told).values()) == {"no_credential"}
    assert (azure.asked, azure.slept_s) == ([], [])


def test_a_final_refusal_ends_the_asking() -> None:
    """Where nobody is let in, the counts and watermarks of both sources are all that is asked."""
    with serving({"*": error(403, "InvalidAuthenticationToken")}) as azure:
        azure.tell()
    assert sorted(azure.asked) == ["requests_counts", "requests_watermark", "traffic_counts", "traffic_watermark"]


@pytest.mark.parametrize(
    ("reply", "pauses_s"),
    [
        (error(429, "ThrottledError"), [1.0]),
        (error(429, "ThrottledError", Retry_After="7"), [7.0]),
        (
            error(429, "x", Retry_After="Sun, 22 Nov 2026 12:00:09 GMT", Date="Sun, 22 Nov 2026 12:00:00 GMT"),
            [9.0],
        ),
        (error(408, "RequestTimeout"), [1.0]),
        (Reply(502, b"<html>", {"Content-Type": "text/html"}), [1.0]),
        (Reply(204), [1.0]),
        (Reply(None), [1.0]),
    ],
    ids=["429", "429 with seconds", "429 with a date", "408", "502", "204", "reset"],
)
def test_what_passes_by_itself_is_asked_again(reply: Reply, pauses_s: list[float]) -> None:
    """After the pause that the service asks for, else one second, the rows are there and no problem is left."""
    with serving({"requests_counts": [reply, counts("requests_counts", ("200", 5))]}) as azure:
        told = azure.tell(hosting=Hosting.AKS)
    assert told.accounts[0].by_label == {"200": 5}
    assert (told.problems, azure.slept_s) == ((), pauses_s)


def test_pauses_grow_and_end() -> None:
    """Four tries, then it is told."""
    with serving({"requests_counts": error(429, "x")}) as azure:
        told = azure.tell(hosting=Hosting.AKS)
    assert azure.asked.count("requests_counts") == 4
    assert azure.slept_s == [1.0, 2.0, 4.0]
    assert outcomes(told) == {Source.APP_INSIGHTS: "throttled"}


def test_other_tables_go_on_where_one_is_missing() -> None:
    """A workspace without the endpoint's logs still tells what App Insights has."""
    gone = error(400, "BadArgumentError", message=UNRESOLVED.format("table or column expression"))
    missing = dict.fromkeys(("traffic_counts", "traffic_watermark", "console_events", "deployment_events"), gone)
    with serving({"requests_counts": counts("requests_counts", ("200", 3), ("500", 1)), **missing}) as azure:
        told = azure.tell()
    assert [(one.source, one.requests) for one in told.accounts] == [(Source.APP_INSIGHTS, 4)]
    missed = dict.fromkeys((Source.CONSOLE_LOG, Source.EVENT_LOG), "missing_table")
    assert outcomes(told) == {Source.TRAFFIC_LOG: "not_yet", **missed}  # App Insights has a request ten minutes ago
    assert "AmlOnlineEndpointTrafficLog" in told.problems[0].next_step


def test_tables_that_most_workspaces_lack_are_no_problem() -> None:
    """No availability test, no performance counter: nothing to tell."""
    gone = error(400, "BadArgumentError", message=UNRESOLVED.format("table or column expression"))
    rows = {"requests_counts": counts("requests_counts", ("200", 3))}
    with serving({**rows, "availability": gone, "performance_counters": gone}) as azure:
        assert azure.tell(hosting=Hosting.AKS).problems == ()


def test_rows_beside_the_counts_that_are_refused_are_told() -> None:
    """The counts stand, and it is said that no exception could be read."""
    rows = {"requests_counts": counts("requests_counts", ("500", 2))}
    with serving({**rows, "exceptions_newest": error(403, "InsufficientAccessError")}) as azure:
        told = azure.tell(hosting=Hosting.AKS)
    assert told.accounts[0].requests == 2
    assert outcomes(told) == {Source.APP_INSIGHTS: "forbidden"}
    assert "AppExceptions" in told.problems[0].sentence


def test_an_empty_period_is_no_data() -> None:
    """Both tables were read and are empty: that is said of each, and there is no account of zero requests."""
    with serving({}) as azure:
        told = azure.tell()
    assert told.accounts == ()
    assert outcomes(told) == {Source.APP_INSIGHTS: "no_data", Source.TRAFFIC_LOG: "no_data"}


def test_an_empty_table_beside_recent_requests_is_not_yet() -> None:
    """App Insights tells of a request ten minutes ago, so the traffic log's silence is no proof of anything."""
    rows = {"requests_counts": counts("requests_counts", ("200", 2))}
    with serving({**rows, "requests_watermark": watermark("requests_watermark", 2)}) as azure:
        told = azure.tell()
    assert outcomes(told) == {Source.TRAFFIC_LOG: "not_yet"}
    assert "hour after it was switched on" in told.problems[0].sentence


def test_an_empty_table_hours_after_the_requests_is_not_switched_on() -> None:
    """An hour is what rows may take; after that the setting is what to look at."""
    clock = ["2026-11-22T18:00:00Z"]
    late = table("requests_watermark", [2, None, None, None, 1.0, *clock])
    with serving({"requests_counts": counts("requests_counts", ("200", 2)), "requests_watermark": late}) as azure:
        told = azure.tell()
    assert outcomes(told) == {Source.TRAFFIC_LOG: "no_data"}
    assert "switched on?" in told.problems[0].sentence


def test_requests_of_the_client_that_no_table_has_are_not_yet() -> None:
    """Whoever looks ids up has sent requests."""
    with serving({}) as azure:
        told = azure.tell(ids=["a1"])
    assert set(outcomes(told).values()) == {"not_yet"}


def test_a_traffic_log_that_nobody_promised_is_no_problem() -> None:
    """A Kubernetes endpoint may have none."""
    with serving({"requests_counts": counts("requests_counts", ("200", 2))}) as azure:
        assert azure.tell(hosting=Hosting.KUBERNETES).problems == ()


def test_endpoint_tables_that_a_kubernetes_workspace_lacks_are_no_problem() -> None:
    """Traffic, console and events are unknown names there; the requests are told all the same."""
    gone = error(400, "BadArgumentError", message=UNRESOLVED.format("table or column expression"))
    names = ("traffic_counts", "traffic_watermark", "traffic_other", "console_events", "deployment_events")
    rows = {"requests_counts": counts("requests_counts", ("200", 2))}
    with serving({**rows, **dict.fromkeys(names, gone)}) as azure:
        told = azure.tell(hosting=Hosting.KUBERNETES)
    assert ([one.requests for one in told.accounts], told.problems) == ([2], ())


def test_the_watermark_is_the_clock_of_the_service_less_the_lag() -> None:
    """Asked at 12:00, rows take two minutes: whole up to 11:58."""
    rows = {"requests_counts": counts("requests_counts", ("200", 2))}
    with serving({**rows, "requests_watermark": watermark("requests_watermark", 2)}) as azure:
        told = azure.tell(hosting=Hosting.AKS)
    assert told.accounts[0].complete_until == datetime(2026, 11, 22, 11, 58, tzinfo=UTC)


def test_without_a_workspace_each_resource_is_asked_for_its_own() -> None:
    """The component tells of requests, the endpoint of its traffic."""
    with serving({}) as azure:
        azure.tell(workspace_id=None, app_insights_id=COMPONENT_ID, arm_id=ENDPOINT_ID)
    asked = set(zip(azure.asked, azure.paths, strict=True))
    assert ("requests_counts", f"/v1{COMPONENT_ID}/query") in asked
    assert ("traffic_counts", f"/v1{ENDPOINT_ID}/query") in asked


def test_the_endpoint_alone_tells_its_traffic() -> None:
    """Its resource id is enough for the traffic log; App Insights is not asked."""
    with serving({"traffic_counts": counts("traffic_counts", ("200", 3), ("429", 1))}) as azure:
        told = azure.tell(workspace_id=None, arm_id=ENDPOINT_ID)
    assert [(one.source, one.by_label) for one in told.accounts] == [(Source.TRAFFIC_LOG, {"200": 3, "429": 1})]
    assert Source.APP_INSIGHTS not in told.asked


def test_a_component_without_the_old_names_is_asked_by_the_new_ones() -> None:
    """`requests` is refused as unknown, `AppRequests` answers."""
    gone = error(400, "BadArgumentError", message=UNRESOLVED.format("table or column expression"))
    replies = {
        "requests_watermark": [gone, watermark("requests_watermark", 1)],
        "requests_counts": counts("requests_counts", ("200", 1)),
    }
    with serving(replies) as azure:
        told = azure.tell(hosting=Hosting.AKS, workspace_id=None, app_insights_id=COMPONENT_ID)
    assert told.accounts[0].requests == 1
    assert all("AppRequests" in text for text in azure.queries if "requests" in text.splitlines()[0])


def test_many_ids_are_looked_up_a_thousand_at_a_time() -> None:
    """2,500 ids are three questions; what cannot be an id is not asked for and not claimed."""
    ids = [f"id{number}" for number in range(2_500)]
    with serving({"requests_counts": counts("requests_counts", ("200", 30_000))}) as azure:
        told = azure.tell(ids=[*ids, 'x") | take 1'], hosting=Hosting.AKS)
    assert azure.asked.count("requests_by_id") == 3
    assert told.accounts[0].looked_up == frozenset(ids)
    assert not any("take 1" in text for text in azure.queries)


def test_a_table_without_any_request_has_seen_none_of_the_ids() -> None:
    """The server answered a probe of its swagger, so its telemetry works, and no id was looked up in vain."""
    with serving({"requests_other": table("requests_other", ["GET", "/swagger.json", "200", 1])}) as azure:
        account = azure.tell(ids=["a1"], hosting=Hosting.AKS).accounts[0]
    assert (account.requests, account.other_count) == (0, {"GET /swagger.json 200": 1})
    assert (account.looked_up, account.rows_are_all) == (frozenset(["a1"]), True)


def test_a_sampled_source_proves_no_absence() -> None:
    """One row stands for four requests, so an id that it lacks may well have been seen."""
    ends = ["2026-11-22T11:50:00Z", "2026-11-22T11:50:00Z"]
    sampled = table("requests_counts", ["2026-11-22T11:50:00Z", "blue", "200", 127, 4, 12.5, *ends, 0, 0, 4])
    with serving({"requests_counts": sampled}) as azure:
        account = azure.tell(ids=["a1"], hosting=Hosting.AKS).accounts[0]
    assert (account.requests, account.is_sampled) == (4, True)
    assert (account.looked_up, account.rows_are_all) == (frozenset(), False)


def test_one_source_that_is_refused_does_not_keep_the_other_from_being_read() -> None:
    """The traffic log is late for ever; App Insights is read, and nothing more is asked of the other."""
    rows = {"requests_counts": counts("requests_counts", ("200", 2))}
    with serving({**rows, "traffic_counts": error(504, "x")}) as azure:
        told = azure.tell()
    assert [one.source for one in told.accounts] == [Source.APP_INSIGHTS]
    assert outcomes(told) == {Source.TRAFFIC_LOG: "timed_out"}
    assert not {"traffic_failed", "traffic_other", "console_events"} & set(azure.asked)


def test_a_secret_in_an_error_is_not_shown() -> None:
    """What the service says passes the redaction."""
    key = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJyZWRsaW5lIn0.c2lnbmF0dXJlLW9mLXRlc3Q"
    with serving({"*": error(500, "x", message=f"Authorization: {key}\x1b[31m")}) as azure:
        told = azure.tell(hosting=Hosting.AKS)
    assert "eyJ" not in told.problems[0].sentence
    assert "\x1b" not in told.problems[0].sentence


def test_progress_is_told() -> None:
    """Questions done and known so far; at the end all of them."""
    seen: list[tuple[str, int, int]] = []
    with serving({}) as azure:
        monitor_azure.tell(
            azure.endpoint(),
            SINCE_AT,
            UNTIL_AT,
            credential=AnyToken(),
            on_progress=lambda *told: seen.append(told),
        )
    assert seen
    assert all(done <= total for _, done, total in seen)
    assert seen[-1][1] == seen[-1][2]
