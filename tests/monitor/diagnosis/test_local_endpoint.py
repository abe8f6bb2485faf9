"""Causes made by the local endpoint, over real sockets, diagnosed from what its client saw and what it wrote down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.diagnosis import diagnose
from scoring.endpoint import Hosting
from scoring.scenario import Expectation
from scoring.told import Finding, Told
from tests.monitor.diagnosis.live import SCENARIO, serve

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
    servicelogs = pytest.importorskip("monitor.servicelogs")
    from scoring.told import together

    with serve(tmp_path, hosting, "--crash-ratio", "50%", "--log-format", log_format) as live:
        told = live.load(requests=6)
    log = servicelogs.tell([str(live.log_file)], since_at=None)
    diagnosis = diagnose(together([told, log]))
    assert [finding.rule for finding in diagnosis.findings if finding.count] == ["D02"]
    assert diagnosis.findings[0].confidence == "high"


@pytest.mark.parametrize("hosting", [AKS, MANAGED, LOCAL])
def test_the_log_names_the_exception(hosting: Hosting, tmp_path: Path) -> None:
    """The traceback in the log is the cause of the failures that the client saw."""
    servicelogs = pytest.importorskip("monitor.servicelogs")
    from scoring.told import together

    with serve(tmp_path, hosting, "--error-ratio", "50%") as live:
        told = live.load(requests=16)
    log = servicelogs.tell([str(live.log_file)], since_at=None)
    diagnosis = diagnose(together([told, log]))
    assert [finding.rule for finding in diagnosis.findings] == ["D01"]
    assert diagnosis.findings[0].confidence == "high"
    assert diagnosis.groups[0].cause.startswith("ValueError: a planned failure")
