"""Settings that contradict each other, each with its sentence and its command."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitor.doctor.settings import settings_checks
from scoring.check import Check
from scoring.controlplane.deployed import Deployed, Deployment
from scoring.endpoint import Endpoint, Hosting
from scoring.units import MS, S
from tests.monitor.doctor.samples import BLUE, DEPLOYED, ENDPOINT, deployed_as

GREEN = replace(BLUE, name="green", traffic_percent=0)
SERVICE = replace(
    DEPLOYED,
    hosting=Hosting.AKS,
    deployments=(Deployment(None, instances=2, max_concurrent=4, request_timeout_ns=5 * S, queue_wait_ns=500 * MS),),
)
AKS = replace(ENDPOINT, hosting=Hosting.AKS)


def of(deployed: Deployed, endpoint: Endpoint = ENDPOINT) -> dict[str, Check]:
    return {one.id: one for one in settings_checks(endpoint, deployed)}


@pytest.mark.parametrize(
    ("name", "changed", "outcome", "words", "step"),
    [
        ("workers", {}, "ok", "4 requests at a time for 4 workers", None),
        ("workers", {"environment": {}}, "warn", "not set, which means 1: 3 of them wait", "WORKER_COUNT=4"),
        ("workers", {"environment": {"WORKER_COUNT": "2"}}, "warn", "WORKER_COUNT is 2", "WORKER_COUNT=4"),
        ("workers", {"environment": {"WORKER_COUNT": "9"}}, "warn", "5 workers of each never have work", "=9"),
        ("workers", {"max_concurrent": None}, "unknown", "does not tell", None),
        ("timeouts", {}, "ok", "request timeout 5 s", None),
        ("timeouts", {"request_timeout_ns": 180 * S}, "ok", "180 s", None),
        ("timeouts", {"request_timeout_ns": 181 * S}, "fail", "managed keeps 180 s at most", "=180000"),
        (
            "timeouts",
            {"environment": {"SCORING_TIMEOUT_MS": "3000"}},
            "warn",
            "SCORING_TIMEOUT_MS ends run() after 3 s",
            "SCORING_TIMEOUT_MS=5000",
        ),
        (
            "timeouts",
            {"environment": {"WORKER_TIMEOUT": "2"}},
            "warn",
            "kills the worker after 2 s",
            "WORKER_TIMEOUT=5",
        ),
        ("timeouts", {"environment": {"WORKER_TIMEOUT": "5"}}, "ok", "5 s", None),
        ("instances", {"instances": 1}, "warn", "one instance", "instance_count=2"),
        ("instances", {"instances": 0}, "fail", "no instance", "instance_count=2"),
        ("instances", {"autoscale_min": 3, "autoscale_max": 2}, "fail", "at least 3 and at most 2", "max_instances=3"),
        ("instances", {"autoscale_min": 1, "autoscale_max": 5}, "warn", "one instance", "min_instances=2"),
        ("instances", {"autoscale_min": 2, "autoscale_max": 5}, "ok", "from 2 to 5", None),
        ("config_agrees", {}, "ok", "traffic: blue 100 %", None),
        ("config_agrees", {"instances": 3}, "warn", "instances = 2, Azure says 3", "instances = 3"),
        ("config_agrees", {"max_concurrent": 1}, "warn", "max_concurrent = 4, Azure says 1", "max_concurrent = 1"),
        ("config_agrees", {"request_timeout_ns": 9 * S}, "warn", "5 s, Azure says 9 s", 'request_timeout = "9000ms"'),
        ("config_agrees", {"state": "Failed"}, "fail", "provisioning state of deployment blue is Failed", "get-logs"),
        ("config_agrees", {"traffic_percent": 0}, "fail", "no deployment has traffic (blue)", "blue=100"),
    ],
)
def test_a_contradiction_is_told_with_its_figures(
    name: str, changed: dict[str, Any], outcome: str, words: str, step: str | None
) -> None:
    """And with the command that sets the value right."""
    found = of(deployed_as(**changed))[name]
    assert (found.outcome, words in found.evidence) == (outcome, True), found
    assert step in str(found.fix) if step else found.fix is None


def test_a_wait_as_long_as_the_timeout_is_a_contradiction_on_aks() -> None:
    """The request would be given up while it waits."""
    waiting = replace(SERVICE, deployments=(replace(SERVICE.deployments[0], queue_wait_ns=5 * S),))
    assert of(SERVICE, AKS)["timeouts"].outcome == "ok"
    assert "may wait 5 s" in of(waiting, AKS)["timeouts"].evidence


def test_a_service_of_the_first_sdk_does_not_tell_its_workers() -> None:
    """Its variables are in the image, so nothing is said of them."""
    assert of(SERVICE, AKS)["workers"].outcome == "unknown"


def test_deployments_without_traffic_are_left_out() -> None:
    """But the one that redline.toml names is looked at."""
    split = replace(DEPLOYED, deployments=(BLUE, replace(GREEN, instances=1)))
    assert of(split)["instances"].outcome == "ok"
    pinned = of(split, replace(ENDPOINT, deployment="green"))["instances"]
    assert (pinned.outcome, pinned.evidence.startswith("green: ")) == ("warn", True)


def test_a_deployment_that_does_not_exist_is_told_with_those_that_do() -> None:
    """Requests to it are answered 404."""
    found = of(replace(DEPLOYED, deployments=(BLUE, GREEN)), replace(ENDPOINT, deployment="red"))["config_agrees"]
    assert found.outcome == "fail"
    assert "blue, green" in found.evidence


@pytest.mark.parametrize(
    ("deployed", "words"),
    [
        (replace(DEPLOYED, auth="entra"), "Azure says entra"),
        (replace(DEPLOYED, scoring_uri="https://other.example/score"), "Azure says the scoring URI is"),
        (replace(DEPLOYED, state="Failed", error="no quota"), "Failed: no quota"),
        (replace(DEPLOYED, deployments=()), "has no deployment"),
    ],
)
def test_redline_toml_is_compared_with_azure(deployed: Deployed, words: str) -> None:
    """Auth, address, state and deployments."""
    found = of(deployed)["config_agrees"]
    assert found.outcome in ("warn", "fail")
    assert words in found.evidence
    assert found.fix


def test_deployments_that_could_not_be_read_are_not_called_missing() -> None:
    """What kept them from being read is told instead."""
    found = of(replace(DEPLOYED, deployments=(), notes=("the deployments of `churn`: not allowed",)))
    assert {found[name].outcome for name in found} == {"unknown"}
    assert "not allowed" in found["config_agrees"].evidence
