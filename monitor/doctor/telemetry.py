"""Is the endpoint watched: App Insights, our own request there, diagnostic settings, metrics, clocks, swagger. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.doctor.facts import Arrival, Facts, Gap, Known, NotSeen, Seen, SignIn
from monitor.doctor.settings import answering, no_deployment
from scoring.check import Check, fail, ok, unknown, warn
from scoring.controlplane.deployed import Deployed, DiagnosticSetting
from scoring.endpoint import Endpoint, Hosting
from scoring.units import show_seconds

CATEGORIES = ("AmlOnlineEndpointTrafficLog", "AmlOnlineEndpointConsoleLog", "AmlOnlineEndpointEventLog")
EVERY_CATEGORY = frozenset(("alllogs", "audit"))
LONG_ENOUGH_S = 300
"""Rows of Application Insights come within two to five minutes; one that is missing for longer is lost."""
SKEW_WARN_S, SKEW_FAIL_S = 5, 300
"""Entra ID refuses tokens and assertions that are five minutes off."""


def app_insights_check(endpoint: Endpoint, deployed: Known[Deployed]) -> Check:
    """Whether the deployments that answer send to Application Insights."""
    name = "app_insights"
    if isinstance(deployed, Gap):
        return unknown(name, deployed.why, deployed.fix)
    reached = answering(endpoint, deployed)
    known = [one for one in reached if one.app_insights is not None]
    if not known:
        return unknown(name, "Azure does not tell whether it is on" if reached else no_deployment(deployed))
    off = [one for one in known if not one.app_insights]
    if not off:
        return ok(name, "Application Insights is on" + _for([one.name for one in known]))
    what = f"Application Insights is off{_for([one.name for one in off])}: failures leave no trace there"
    return warn(name, what, f"redline doctor {endpoint.name} --fix app-insights")


def is_off(endpoint: Endpoint, deployed: Known[Deployed]) -> bool:
    """Whether every deployment that answers is known to send nothing to Application Insights."""
    if isinstance(deployed, Gap):
        return False
    flags = [one.app_insights for one in answering(endpoint, deployed)]
    return bool(flags) and not any(flag is None or flag for flag in flags)


def receiving_check(endpoint: Endpoint, arrival: Known[Arrival | NotSeen]) -> Check:
    """Whether our own request is found in the telemetry, and how long it took to get there."""
    name = "receiving"
    if isinstance(arrival, Gap):
        make = fail if arrival.is_error else unknown
        return make(name, arrival.why, arrival.fix)
    if isinstance(arrival, Arrival):
        delay = "" if arrival.delay_s is None else f", {show_seconds(arrival.delay_s)} after it was sent"
        status = f" with status {arrival.status}" if arrival.status else ""
        return ok(name, f"our own request is there{status}{delay}")
    what = f"our own request is not in {arrival.place} after {show_seconds(arrival.waited_s)}"
    if arrival.waited_s < LONG_ENOUGH_S:
        return warn(name, f"{what}; rows may take some minutes", f"redline doctor {endpoint.name} --wait 5m")
    step = "check that workspace_id in redline.toml is the workspace behind this endpoint's Application Insights"
    return fail(name, what, step)


def diagnostics_check(facts: Facts) -> Check:
    """Whether traffic, console and events are kept in a Log Analytics workspace."""
    name = "diagnostics"
    if facts.endpoint.hosting in (Hosting.ACI, Hosting.AKS, Hosting.LOCAL):
        return unknown(name, f"a service on {facts.endpoint.hosting} has no diagnostic settings")
    found = facts.diagnostics
    if isinstance(found, Gap):
        return unknown(name, found.why, found.fix)
    kept = [one for one in found if one.workspace_arm_id is not None]
    missing = [category for category in CATEGORIES if not any(_keeps(one, category) for one in kept)]
    if not missing:
        names = ", ".join(one.name for one in kept)
        return ok(name, f"traffic, console and events are kept, by {names}")
    has = [category for category in CATEGORIES if category not in missing]
    what = f"not kept: {', '.join(missing)}" + (f"; kept: {', '.join(has)}" if has else "")
    if not found:
        what = f"there is no diagnostic setting: {', '.join(missing)} are not kept"
    return warn(name, what, _create(facts, missing))


def metrics_check(metrics: Known[int]) -> Check:
    """Whether Azure Monitor's metrics of the endpoint can be read."""
    name = "metrics"
    if isinstance(metrics, Gap):
        make = fail if metrics.is_error else unknown
        return make(name, metrics.why, metrics.fix)
    if metrics == 0:
        return ok(name, "can be read; they have no value of the last half hour yet")
    return ok(name, f"can be read: {metrics} series of the last half hour")


def clock_check(answers: tuple[Known[Seen], ...], sign_in: Known[SignIn]) -> Check:
    """Whether this machine's clock agrees with the endpoint's and the token issuer's."""
    name = "clock"
    skews = [one.date_skew_s for one in answers if isinstance(one, Seen) and one.date_skew_s is not None]
    said, worst_s = [], 0.0
    if skews:
        least_s = min((off_s(skew) for skew in skews), key=abs)
        worst_s = least_s
        said.append(_off(least_s, "the endpoint's Date header") + ", which has whole seconds")
    if isinstance(sign_in, SignIn) and sign_in.not_before_s is not None:
        early_s = max(0.0, sign_in.not_before_s - sign_in.signed_at_s)
        worst_s = early_s if early_s > abs(worst_s) else worst_s
        said.append(
            f"a token that was just issued holds only in {show_seconds(early_s)}"
            if early_s > SKEW_WARN_S
            else "the token issuer's clock agrees"
        )
    if not said:
        return unknown(name, "no answer with a Date header came, and no token")
    step = "timedatectl set-ntp true; then check with date -u"
    if abs(worst_s) > SKEW_FAIL_S:
        return fail(name, f"{'; '.join(said)}; tokens are refused from 5 minutes on", step)
    return warn(name, "; ".join(said), step) if abs(worst_s) > SKEW_WARN_S else ok(name, "; ".join(said))


def off_s(date_skew_s: float) -> float:
    """How far the clocks are apart at least: a Date of whole seconds may be up to one second older than it says.

    >>> off_s(-0.4), off_s(-3.5), off_s(7.0)
    (0.0, -2.5, 7.0)
    """
    return date_skew_s if date_skew_s > 0 else min(0.0, date_skew_s + 1)


def swagger_check(swagger: Known[str]) -> Check:
    """Whether the service describes what it takes."""
    name = "swagger"
    if isinstance(swagger, Gap):
        make = warn if swagger.is_error else unknown
        return make(name, swagger.why, swagger.fix)
    return ok(name, f"the service describes what it takes: {swagger}")


def telemetry_checks(facts: Facts) -> Iterator[Check]:
    """Application Insights, our own request there, and what else is kept."""
    yield app_insights_check(facts.endpoint, facts.deployed)
    yield receiving_check(facts.endpoint, facts.arrival)
    yield diagnostics_check(facts)


def _off(seconds: float, what: str) -> str:
    if seconds == 0:
        return f"this machine's clock agrees with {what}"
    word = "behind" if seconds > 0 else "ahead of"
    return f"this machine's clock is at least {show_seconds(abs(seconds))} {word} {what}"


def _for(names: list[str | None]) -> str:
    named = [name for name in names if name]
    return f" for {', '.join(named)}" if named else ""


def _keeps(setting: DiagnosticSetting, category: str) -> bool:
    kept = {one.lower() for one in setting.categories}
    return category.lower() in kept or bool(kept & EVERY_CATEGORY)


def _create(facts: Facts, missing: list[str]) -> str:
    deployed = facts.deployed
    workspace = deployed.logs_workspace_arm_id if isinstance(deployed, Deployed) else None
    logs = ", ".join(f'{{"category": "{category}", "enabled": true}}' for category in missing)
    return (
        f"az monitor diagnostic-settings create --name redline --resource {facts.endpoint.arm_id or 'ENDPOINT_ID'}"
        f" --workspace {workspace or 'LOG_ANALYTICS_ID'} --logs '[{logs}]'"
    )
