"""Causes made by the local endpoint, over real sockets, diagnosed from what its client saw and what it told itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monitor import servicelogs
from monitor.diagnosis import diagnose
from scoring.endpoint import Hosting
from scoring.granting import scoring_source
from scoring.scenario import Expectation
from scoring.served import Source
from scoring.settings import read_settings
from scoring.told import Diagnosis, Finding, Told, together
from tests.localazure.asking import Asking
from tests.monitor.azure.standin import settled, told_of
from tests.monitor.diagnosis.live import SCENARIO, Live, serve

ACI, AKS, MANAGED, KUBERNETES, LOCAL = Hosting


def _top(told: Told) -> Finding:
    finding = diagnose(told).findings[0]
    assert finding.count == len(told.failed) > 0
    assert finding.confidence != "high", "the client is one source alone"
    return finding


@pytest.mark.parametrize("hosting", Hosting)
def test_a_script_that_raises(hosting: Hosting, tmp_path: Path) -> None:
    """The header of the inference server says on every hosting that `run()` raised, whatever the status."""
    with serve(tmp_path, hosting, "--error-ratio", "50%") as live:
        assert _top(live.load()).rule == "D01"


@pytest.mark.parametrize("hosting", [AKS, KUBERNETES, ACI])
def test_a_worker_that_dies_is_told_in_general_by_the_client_alone(hosting: Hosting, tmp_path: Path) -> None:
    """The client sees that the replica closed; why is in the log."""
    with serve(tmp_path, hosting, "--crash-ratio", "50%") as live:
        assert _top(live.load(requests=6)).rule == "D04"


@pytest.mark.parametrize("hosting", [AKS, KUBERNETES])
def test_an_overload_is_503_where_a_router_stands_before(hosting: Hosting, tmp_path: Path) -> None:
    """Eight at once where two are admitted."""
    with serve(tmp_path, hosting, "--instances", "2", "--service-time", "60ms") as live:
        finding = _top(live.load(users=8))
    assert finding.rule == "D05"
    assert any("8 requests at once; 2 are admitted" in text for text in finding.evidence)


def test_an_overload_is_429_on_managed_endpoints(tmp_path: Path) -> None:
    """The reason header names the limit of pending requests."""
    with serve(tmp_path, MANAGED, "--service-time", "60ms") as live:
        finding = _top(live.load(users=8))
    assert finding.rule == "D13"
    assert "in flight" in finding.cause


def test_a_rate_limit_is_the_other_429(tmp_path: Path) -> None:
    """Few at once, but more in one second than the quota allows."""
    with serve(tmp_path, MANAGED, "--rate-limit", "3", "--service-time", "1ms") as live:
        finding = _top(live.load(users=1))
    assert finding.rule == "D13"
    assert "per second" in finding.cause


@pytest.mark.parametrize(("hosting", "rule"), [(ACI, "D08"), (AKS, "D08"), (KUBERNETES, "D08"), (MANAGED, "D11")])
def test_a_model_slower_than_the_limit(hosting: Hosting, rule: str, tmp_path: Path) -> None:
    """504 or 408 after the platform's own limit."""
    with serve(tmp_path, hosting, "--request-timeout", "0.2s", "--service-time", "600ms") as live:
        assert _top(live.load(requests=2)).rule == rule


@pytest.mark.parametrize("hosting", [AKS, KUBERNETES, MANAGED])
def test_a_wrong_key(hosting: Hosting, tmp_path: Path) -> None:
    """Refused from the first request on."""
    with serve(tmp_path, hosting) as live:
        assert _top(live.load(requests=4, key="no-such-key")).rule == "D15"


@pytest.mark.parametrize("hosting", [ACI, AKS, LOCAL])
def test_a_wrong_path(hosting: Hosting, tmp_path: Path) -> None:
    """Nothing scores there."""
    with serve(tmp_path, hosting) as live:
        assert _top(live.load(requests=4, path="/no-such-path")).rule == "D16"


def test_a_wrong_method(tmp_path: Path) -> None:
    """The path takes POST, not DELETE."""
    with serve(tmp_path, AKS) as live:
        assert _top(live.load(requests=4, scenario=replace(SCENARIO, method="DELETE"))).rule == "D28"


@pytest.mark.parametrize("hosting", [AKS, MANAGED, LOCAL])
def test_an_error_inside_a_200(hosting: Hosting, tmp_path: Path) -> None:
    """A status that says nothing, a body that does."""
    with serve(tmp_path, hosting, "--wrong-ratio", "50%") as live:
        assert _top(live.load()).rule == "D20"


def test_json_that_is_cut(tmp_path: Path) -> None:
    """A whole body that is half a document."""
    with serve(tmp_path, AKS, "--rubbish-ratio", "50%") as live:
        assert _top(live.load()).rule == "D20"


@pytest.mark.parametrize(("hosting", "rule"), [(AKS, "D25"), (KUBERNETES, "D25"), (MANAGED, "D12")])
def test_replicas_that_are_not_ready(hosting: Hosting, rule: str, tmp_path: Path) -> None:
    """Before the first replica is up, nothing is overloaded."""
    with serve(tmp_path, hosting, "--cold-start", "30s") as live:
        assert _top(live.load(requests=4)).rule == rule


@pytest.mark.parametrize("hosting", [ACI, LOCAL])
def test_a_hosting_that_queues_lets_callers_wait_past_their_deadline(hosting: Hosting, tmp_path: Path) -> None:
    """Eight at once on one worker: no rejection, and no answer in time."""
    scenario = replace(SCENARIO, deadline_ns=300_000_000)
    with serve(tmp_path, hosting, "--service-time", "200ms") as live:
        assert _top(live.load(requests=8, users=8, scenario=scenario)).rule == "D32"


def test_an_answer_larger_than_the_scenario_reads(tmp_path: Path) -> None:
    """The endpoint answers well, the scenario stops reading."""
    scenario = replace(SCENARIO, expectation=Expectation(max_bytes=2))
    with serve(tmp_path, AKS) as live:
        assert _top(live.load(requests=4, scenario=scenario)).rule == "D31"


def test_nobody_listens(tmp_path: Path) -> None:
    """The endpoint has ended: its port refuses."""
    with serve(tmp_path, AKS) as live:
        pass
    assert _top(live.load(requests=2)).rule == "D19"


@pytest.mark.parametrize("hosting", Hosting)
@pytest.mark.parametrize("log_format", ["azmlinfsrv", "legacy"])
def test_the_log_tells_that_the_worker_died(hosting: Hosting, log_format: str, tmp_path: Path) -> None:
    """Every hosting, both logs: the cut-off answer and the exit of those seconds are one cause."""
    with serve(tmp_path, hosting, "--crash-ratio", "50%", "--log-format", log_format) as live:
        told = live.load(requests=6)
    log = servicelogs.tell([str(live.log_file)], since_at=None)
    diagnosis = diagnose(together([told, log]))
    assert [finding.rule for finding in diagnosis.findings if finding.count] == ["D02"]
    assert diagnosis.findings[0].confidence == "high"


@pytest.mark.parametrize("hosting", [AKS, MANAGED, LOCAL])
def test_the_log_names_the_exception(hosting: Hosting, tmp_path: Path) -> None:
    """The traceback in the log is the cause of the failures that the client saw."""
    with serve(tmp_path, hosting, "--error-ratio", "50%") as live:
        told = live.load(requests=16)
    log = servicelogs.tell([str(live.log_file)], since_at=None)
    diagnosis = diagnose(together([told, log]))
    assert [finding.rule for finding in diagnosis.findings] == ["D01"]
    assert diagnosis.findings[0].confidence == "high"
    assert diagnosis.groups[0].cause.startswith("ValueError: a planned failure")


def _with_telemetry(live: Live, client: Told) -> tuple[Told, Diagnosis]:
    """What the service tells of the client's requests once no further row arrives, and what both together mean."""
    asking = Asking(live.ready)
    settled(asking, "requests | count")
    asking.close()
    told = together([client, told_of(live.ready, [one.request_id or "" for one in client.failed], client.since_at)])
    return told, diagnose(told)


def _only(diagnosis: Diagnosis) -> tuple[str, str]:
    """Rule and confidence of the one finding that explains failures."""
    (finding,) = [finding for finding in diagnosis.findings if finding.count]
    assert diagnosis.unexplained == 0
    return finding.rule, finding.confidence


QUICK = ("--telemetry-flush", "100ms", "--service-time", "1ms")


@pytest.mark.parametrize(
    ("kind", "hosting"), [*(("otel", one) for one in Hosting), ("opencensus", AKS), ("legacy", AKS)]
)
def test_telemetry_names_the_exception(kind: str, hosting: Hosting, tmp_path: Path) -> None:
    """Every hosting, every generation: each failure has its exception, so the cause is sure and has a name."""
    with serve(tmp_path, hosting, *QUICK, "--error-ratio", "40%", "--telemetry-format", kind, telemetry=True) as live:
        client = live.load(requests=16)
        _, diagnosis = _with_telemetry(live, client)
    assert _only(diagnosis) == ("D01", "high")
    (group,) = diagnosis.groups
    assert (group.cause, group.count) == (
        "ValueError: a planned failure of the built-in model (--error-ratio)",
        len(client.failed),
    )
    assert group.frame == "score.py:17 in run"


@pytest.mark.parametrize("hosting", Hosting)
def test_a_request_that_the_server_never_told_of_is_a_dead_worker(hosting: Hosting, tmp_path: Path) -> None:
    """The others of those seconds have arrived. A managed endpoint's console tells of the exit too: it is sure."""
    with serve(tmp_path, hosting, *QUICK, "--crash-ratio", "30%", "--seed", "2", telemetry=True) as live:
        client = live.load(requests=12)
        told, diagnosis = _with_telemetry(live, client)
    insights = told.account(Source.APP_INSIGHTS)
    assert insights is not None
    assert not {one.request_id for one in client.failed} & {row.request_id for row in insights.rows}
    assert _only(diagnosis) == ("D02", "high" if hosting is MANAGED else "medium")


@pytest.mark.parametrize(("hosting", "rule"), [(AKS, "D05"), (KUBERNETES, "D05"), (MANAGED, "D13")])
def test_what_never_reached_the_model_was_shed_before_it(hosting: Hosting, rule: str, tmp_path: Path) -> None:
    """Refused by the front end: no row of the server, and the client held more than is admitted. No dead worker."""
    with serve(tmp_path, hosting, "--telemetry-flush", "100ms", "--service-time", "60ms", telemetry=True) as live:
        client = live.load(users=8)
        _, diagnosis = _with_telemetry(live, client)
    assert _only(diagnosis) == (rule, "high")


@pytest.mark.parametrize(("hosting", "rule"), [(AKS, "D08"), (MANAGED, "D11")])
def test_the_servers_own_row_tells_how_long_the_model_took(hosting: Hosting, rule: str, tmp_path: Path) -> None:
    """The caller was told of a time-out; the server answered 200 later, and says after how long."""
    flags = ("--telemetry-flush", "100ms", "--request-timeout", "0.2s", "--service-time", "600ms")
    with serve(tmp_path, hosting, *flags, telemetry=True) as live:
        client = live.load(requests=2)
        _, diagnosis = _with_telemetry(live, client)
    assert _only(diagnosis) == (rule, "high")


@pytest.mark.parametrize(
    ("hosting", "fault"),
    [
        (AKS, ("--ingestion-delay", "5m")),
        (MANAGED, ("--drop-source", "requests")),
        (AKS, ("--drop-source", "exceptions")),
        (AKS, ("--sampling", "30%")),
        (MANAGED, ("--sampling", "30%")),
        (MANAGED, ("--duplicate", "50%")),
    ],
)
def test_noise_on_the_way_changes_no_cause(hosting: Hosting, fault: tuple[str, str], tmp_path: Path) -> None:
    """Rows that are late, lost, sampled or doubled: a script that raised is not taken for a worker that died."""
    with serve(tmp_path, hosting, *QUICK, "--error-ratio", "40%", *fault, telemetry=True) as live:
        client = live.load(requests=24)
        told, diagnosis = _with_telemetry(live, client)
    assert _only(diagnosis)[0] == "D01"
    assert diagnosis.findings[0].count == len(client.failed)
    assert told.account(Source.CLIENT) is not None


@pytest.mark.parametrize(("hosting", "fault"), [(AKS, ("--ingestion-delay", "5m")), (LOCAL, ("--sampling", "10%"))])
def test_a_row_that_may_yet_come_is_no_proof_of_a_crash(
    hosting: Hosting, fault: tuple[str, str], tmp_path: Path
) -> None:
    """Where rows are late or drawn by chance, their absence says nothing, and no cause is sure."""
    with serve(tmp_path, hosting, *QUICK, "--crash-ratio", "30%", "--seed", "2", *fault, telemetry=True) as live:
        client = live.load(requests=12)
        _, diagnosis = _with_telemetry(live, client)
    assert all(finding.confidence != "high" for finding in diagnosis.findings)
    assert not any("without a row" in text for finding in diagnosis.findings for text in finding.evidence)


@pytest.mark.parametrize("hosting", [AKS, MANAGED, KUBERNETES])
def test_a_token_that_expires_in_the_middle(hosting: Hosting, tmp_path: Path) -> None:
    """Let in until it was over, refused from then on: it is no wrong key."""
    with serve(tmp_path, hosting, "--token-life", "1s", "--service-time", "60ms") as live:
        endpoint = read_settings(live.ready["config"]).endpoints["local-token"]
        grant = scoring_source(endpoint, {}).fetch()
        assert grant is not None
        by_token = replace(live, endpoint=replace(live.endpoint, scoring_uri=endpoint.scoring_uri, auth="token"))
        told = by_token.load(requests=40, key=grant.secret)
    finding = diagnose(told).findings[0]
    assert {one.status for one in told.failed} == {401}
    assert (finding.rule, finding.count) == ("D14", len(told.failed))
