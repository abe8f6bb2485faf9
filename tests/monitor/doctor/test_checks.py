"""All checks together: their order, that what is missing is never fine, and the exit code."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from monitor.doctor.checks import checks, exit_of
from monitor.doctor.facts import Facts, Gap
from scoring.check import Check, CheckOutcome, fail, ok, unknown, warn
from scoring.errors import Exit
from tests.house.repository import ROOT
from tests.monitor.doctor.samples import FINE, but

IN_ORDER = [
    *("config", "dns", "tcp", "tls", "certificate", "key_required", "wrong_key", "credential", "authenticated"),
    *("answer", "sign_in", "role_keys", "role_logs", "role_metrics", "rights", "app_insights", "receiving"),
    *("diagnostics", "clock", "workers", "timeouts", "instances", "config_agrees", "metrics", "swagger"),
]
KNOWN = [one.name for one in fields(Facts) if one.name not in ("endpoint", "config", "now_s")]
RESTS_ON = {
    "addresses": {"dns"},
    "connected": {"tcp"},
    "shaken": {"tls", "certificate"},
    "without_key": {"key_required"},
    "wrong_key": {"wrong_key"},
    "credential": {"credential"},
    "scored": {"authenticated", "answer"},
    "sign_in": {"sign_in"},
    "deployed": {"app_insights", "workers", "timeouts", "instances", "config_agrees"},
    "rights_endpoint": {"role_keys"},
    "rights_logs": {"role_logs"},
    "rights_metrics": {"role_metrics"},
    "arrival": {"receiving"},
    "diagnostics": {"diagnostics"},
    "metrics": {"metrics"},
    "swagger": {"swagger"},
}


def by_id(facts: Facts) -> dict[str, Check]:
    return {one.id: one for one in checks(facts)}


def test_every_check_of_a_fine_endpoint_is_fine_and_in_order() -> None:
    """From the configuration to the swagger document, each once."""
    found = checks(FINE)
    assert [one.id for one in found] == IN_ORDER
    assert [one.id for one in found if one.outcome is not CheckOutcome.OK] == []
    assert exit_of(found) is Exit.FINE


@pytest.mark.parametrize("name", KNOWN)
def test_a_check_whose_ground_is_missing_is_not_fine(name: str) -> None:
    """It says what is missing; the others go on."""
    changed: dict[str, Any] = {name: Gap("a wall in between")}
    found = by_id(but(**changed))
    assert {one for one in RESTS_ON[name] if found[one].outcome is CheckOutcome.OK} == set()
    assert all("a wall in between" in found[one].evidence for one in RESTS_ON[name])
    assert sum(one.outcome is CheckOutcome.OK for one in found.values()) >= len(IN_ORDER) - 6


def test_nothing_is_fine_where_nothing_is_known() -> None:
    """But for the configuration, which was read."""
    gaps: dict[str, Any] = {name: Gap("nothing was asked") for name in KNOWN}
    found = by_id(but(**gaps))
    assert [name for name, one in found.items() if one.outcome is CheckOutcome.OK] == ["config"]


def test_every_finding_says_what_mends_it() -> None:
    """A check that failed or warns has a fix."""
    broken = but(
        without_key=replace(FINE.scored, request_id="1"),  # type: ignore[type-var]
        rights_endpoint=replace(FINE.rights_endpoint, roles=()),  # type: ignore[type-var]
        diagnostics=(),
        metrics=Gap("refused", "az login", is_error=True),
        sign_in=Gap("nobody", "az login", is_error=True),
    )
    bad = [one for one in checks(broken) if one.outcome in (CheckOutcome.FAIL, CheckOutcome.WARN)]
    assert {"key_required", "role_keys", "diagnostics", "metrics", "sign_in"} <= {one.id for one in bad}
    assert [one.id for one in bad if not one.fix] == []


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([ok("dns", "x"), warn("rights", "x", None), unknown("metrics", "x")], Exit.FINE),
        ([fail("key_required", "x", None)], Exit.MISSED),
        ([fail("key_required", "x", None), fail("dns", "x", None)], Exit.NO_ENTRY),
        ([fail("authenticated", "x", None)], Exit.NO_ENTRY),
        ([fail("credential", "x", None)], Exit.NO_ENTRY),
        ([fail("certificate", "x", None)], Exit.MISSED),
    ],
)
def test_the_exit_code_tells_no_entry_from_a_finding(found: list[Check], code: Exit) -> None:
    """Network and credential are 4, any other failure 1, warnings and gaps none."""
    assert exit_of(found) is code


def test_evidence_is_one_harmless_line_without_secrets() -> None:
    """Whatever a server or a file says."""
    secret = "Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghijklmnop"
    found = by_id(but(metrics=Gap(f"\x1b[31mred\x1b[0m\nAuthorization: {secret}", "x\r\ny", is_error=True)))["metrics"]
    assert "\x1b" not in found.evidence
    assert "\n" not in found.evidence + str(found.fix)
    assert "abcdefghijklmnop" not in found.evidence


def test_every_check_is_described() -> None:
    """docs/doctor.md has a row for each, in order."""
    rows = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8").splitlines()
    told = [row.split("`")[1] for row in rows if row.startswith("| `")]
    assert told == IN_ORDER
