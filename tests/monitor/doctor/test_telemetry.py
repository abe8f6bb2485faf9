"""Is the endpoint watched, judged from facts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.doctor.facts import Arrival, Gap, NotSeen
from monitor.doctor.telemetry import (
    app_insights_check,
    clock_check,
    diagnostics_check,
    is_off,
    receiving_check,
)
from scoring.controlplane.deployed import DiagnosticSetting
from scoring.endpoint import Hosting
from tests.monitor.doctor.samples import BLUE, DEPLOYED, ENDPOINT, FINE, LOGS_ID, NOW_S, SEEN, but, deployed_as

TRAFFIC = "AmlOnlineEndpointTrafficLog"


@pytest.mark.parametrize(
    ("skew_s", "outcome", "words"),
    [
        (-0.9, "ok", "agrees"),
        (0.0, "ok", "agrees"),
        (4.0, "ok", "4.00 s behind"),
        (-5.9, "ok", "4.90 s ahead"),
        (-6.5, "warn", "5.50 s ahead"),
        (20.0, "warn", "20.0 s behind"),
        (3600.0, "fail", "1 h 0 min behind"),
        (-3600.0, "fail", "59 min 59 s ahead"),
    ],
)
def test_a_clock_is_wrong_beyond_the_grain_of_the_header(skew_s: float, outcome: str, words: str) -> None:
    """Date has whole seconds, so up to a second behind is no skew; five minutes are the end of tokens."""
    found = clock_check((replace(SEEN, date_skew_s=skew_s),), Gap("not asked"))
    assert (found.outcome, words in found.evidence) == (outcome, True), found


def test_a_token_of_the_future_shows_a_clock_that_is_behind() -> None:
    """It was just issued, and holds only later by our clock."""
    sign_in = replace(FINE.sign_in, not_before_s=NOW_S + 400)  # type: ignore[type-var]
    assert clock_check((SEEN,), sign_in).outcome == "fail"
    assert clock_check((SEEN,), FINE.sign_in).outcome == "ok"


def test_no_clock_is_judged_without_a_header() -> None:
    """Nothing is known of it then."""
    assert clock_check((replace(SEEN, date_skew_s=None), Gap("none")), Gap("none")).outcome == "unknown"


def test_application_insights_of_the_deployments_that_answer_counts() -> None:
    """One that is off warns with the command that mends it; one without traffic is left alone."""
    off = deployed_as(app_insights=False)
    found = app_insights_check(ENDPOINT, off)
    assert (found.outcome, found.fix) == ("warn", "redline doctor churn --fix app-insights")
    assert is_off(ENDPOINT, off)
    idle = replace(DEPLOYED, deployments=(BLUE, replace(BLUE, name="green", traffic_percent=0, app_insights=False)))
    assert app_insights_check(ENDPOINT, idle).outcome == "ok"
    assert not is_off(ENDPOINT, idle)
    assert app_insights_check(ENDPOINT, deployed_as(app_insights=None)).outcome == "unknown"


@pytest.mark.parametrize(
    ("arrival", "outcome", "words"),
    [
        (Arrival(62.0, "200"), "ok", "with status 200, 62.0 s after it was sent"),
        (Arrival(None, None), "ok", "our own request is there"),
        (NotSeen(90.0, "AppRequests"), "warn", "not in AppRequests after 90.0 s"),
        (NotSeen(300.0, "AppRequests"), "fail", "not in AppRequests after 5 min 0 s"),
    ],
)
def test_a_missing_row_is_late_before_it_is_lost(arrival: Arrival | NotSeen, outcome: str, words: str) -> None:
    """Rows take minutes; after five of them something is wrong."""
    found = receiving_check(ENDPOINT, arrival)
    assert (found.outcome, words in found.evidence) == (outcome, True), found


@pytest.mark.parametrize(
    ("settings", "outcome", "words"),
    [
        ((DiagnosticSetting("a", LOGS_ID, frozenset(("allLogs",))),), "ok", "by a"),
        ((DiagnosticSetting("a", None, frozenset(("allLogs",))),), "warn", "not kept"),
        ((), "warn", "there is no diagnostic setting"),
        ((DiagnosticSetting("a", LOGS_ID, frozenset((TRAFFIC.lower(),))),), "warn", f"kept: {TRAFFIC}"),
    ],
)
def test_the_missing_categories_are_named(settings: tuple[DiagnosticSetting, ...], outcome: str, words: str) -> None:
    """A setting that goes elsewhere than to a workspace does not count; the fix creates what is missing."""
    found = diagnostics_check(but(diagnostics=settings))
    assert (found.outcome, words in found.evidence) == (outcome, True), found
    if outcome == "warn":
        assert f"--workspace {LOGS_ID}" in str(found.fix)
        assert "AmlOnlineEndpointConsoleLog" in str(found.fix)


def test_a_service_of_the_first_sdk_has_no_diagnostic_settings() -> None:
    """That is no fault of its owner."""
    assert diagnostics_check(but(endpoint=replace(ENDPOINT, hosting=Hosting.AKS))).outcome == "unknown"
