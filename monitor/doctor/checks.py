"""Every check, in order, from facts alone; and the exit code of all of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.doctor.entry import (
    answer_check,
    authenticated_check,
    credential_check,
    key_required_check,
    wrong_key_check,
)
from monitor.doctor.facts import Facts
from monitor.doctor.network import network_checks
from monitor.doctor.rights import role_checks, sign_in_check
from monitor.doctor.settings import settings_checks
from monitor.doctor.telemetry import clock_check, metrics_check, swagger_check, telemetry_checks
from scoring.check import Check, CheckOutcome, ok
from scoring.errors import Exit
from scoring.redact import redact
from scoring.text import harmless

NO_ENTRY = frozenset(("dns", "tcp", "tls", "credential", "sign_in", "authenticated"))
"""Checks whose failure means that we could not get in."""
MOST_CHARS = 1_500


def checks(facts: Facts) -> list[Check]:
    """What is known of the endpoint, from the name to the telemetry."""
    endpoint, now_s = facts.endpoint, facts.now_s
    answers = (facts.without_key, facts.wrong_key, facts.scored)
    found = [
        ok("config", _config_said(facts)),
        *network_checks(endpoint, facts.addresses, facts.connected, facts.shaken, now_s),
        key_required_check(endpoint, facts.without_key),
        wrong_key_check(endpoint, facts.wrong_key),
        credential_check(endpoint, facts.credential, now_s),
        authenticated_check(endpoint, facts.scored, facts.credential),
        answer_check(endpoint, facts.scored),
        sign_in_check(facts.sign_in, now_s),
        *role_checks(facts),
        *telemetry_checks(facts),
        clock_check(answers, facts.sign_in),
        *settings_checks(endpoint, facts.deployed),
        metrics_check(facts.metrics),
        swagger_check(facts.swagger),
    ]
    return [_shown(one) for one in found]


def exit_of(found: Sequence[Check]) -> Exit:
    """FINE where nothing failed, NO_ENTRY where network or credential did, else MISSED."""
    failed = {one.id for one in found if one.outcome is CheckOutcome.FAIL}
    if failed & NO_ENTRY:
        return Exit.NO_ENTRY
    return Exit.MISSED if failed else Exit.FINE


def _config_said(facts: Facts) -> str:
    endpoint = facts.endpoint
    hosting = f", {endpoint.hosting}" if endpoint.hosting is not None else ", hosting not said"
    return f"{facts.config}: {endpoint.scoring_uri.partition('?')[0]}{hosting}, auth {endpoint.auth}"


def _shown(check: Check) -> Check:
    """The check fit to be shown: one line each, without secrets or control characters."""
    return replace(check, evidence=_line(check.evidence), fix=None if check.fix is None else _line(check.fix))


def _line(text: str) -> str:
    return redact(harmless(redact(text), max_chars=MOST_CHARS))
