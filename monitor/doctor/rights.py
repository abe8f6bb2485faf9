"""Who is signed in to Azure, what that principal may do, what it lacks and what it has beyond need. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.doctor.facts import Facts, Gap, Known, Rights, SignIn
from monitor.doctor.permissions import (
    DATA_SCIENTIST,
    LOG_READER,
    METRICS,
    MONITORING_READER,
    QUERY,
    V1_KEYS,
    V1_TOKEN,
    V2_KEYS,
    V2_LOGS,
    V2_SCORE,
    V2_TOKEN,
    Need,
    allows,
    assignment,
    excess,
)
from scoring.check import Check, fail, ok, unknown, warn
from scoring.controlplane.deployed import Deployed
from scoring.endpoint import Endpoint, Hosting
from scoring.units import show_seconds


def sign_in_check(sign_in: Known[SignIn], now_s: float) -> Check:
    """Whether somebody is signed in to Azure, who, and for how long."""
    name = "sign_in"
    if isinstance(sign_in, Gap):
        make = fail if sign_in.is_error else unknown
        return make(name, sign_in.why, sign_in.fix)
    left = "" if sign_in.expires_s is None else f", for {show_seconds(max(0.0, sign_in.expires_s - now_s))}"
    who = "" if sign_in.principal_id is None else f", principal {sign_in.principal_id}"
    others = f"; did not serve: {'; '.join(sign_in.others)}" if sign_in.others else ""
    return ok(name, f"signed in by {sign_in.used}{who}{left}{others}")


def role_checks(facts: Facts) -> Iterator[Check]:
    """The rights for keys, for logs and for metrics, and those beyond need."""
    principal = None if isinstance(facts.sign_in, Gap) else facts.sign_in.principal_id
    yield _role_keys(facts, principal)
    yield _role_logs(facts, principal)
    yield _role_metrics(facts, principal)
    yield _rights(facts, principal)


def needed_for_scoring(endpoint: Endpoint, deployed: Known[Deployed]) -> Need | None:
    """The action by which this endpoint's credential is had, or is let in; None where nothing of Azure is asked."""
    hosting = deployed.hosting if isinstance(deployed, Deployed) else endpoint.hosting
    is_v1 = hosting in (Hosting.ACI, Hosting.AKS)
    kind = "aci" if hosting is Hosting.ACI else "aks"
    actions = {
        "key": V1_KEYS.format(kind=kind) if is_v1 else V2_KEYS,
        "token": V1_TOKEN if is_v1 else V2_TOKEN,
        "entra": V2_SCORE,
    }
    purposes = {"key": "list the keys", "token": "get a token", "entra": "score"}
    if endpoint.auth not in actions:
        return None
    return Need(actions[endpoint.auth], purposes[endpoint.auth], DATA_SCIENTIST)


def has_own_key(endpoint: Endpoint) -> bool:
    """Whether the key comes from somewhere else than Azure's control plane."""
    sources = (endpoint.key_env, endpoint.key_file, endpoint.key_vault, endpoint.key_keyring)
    return any(one is not None for one in sources)


def _role_keys(facts: Facts, principal: str | None) -> Check:
    name = "role_keys"
    need = needed_for_scoring(facts.endpoint, facts.deployed)
    if need is None:
        return ok(name, 'no right is needed to score: auth = "none"')
    rights = facts.rights_endpoint
    if isinstance(rights, Gap):
        return unknown(name, rights.why, rights.fix)
    if allows(rights.roles, need.action):
        return ok(name, f"may {need.purpose} ({need.action})")
    what = (
        f"may not {need.purpose}: {need.action} is missing on {_place(rights.scope)}; the smallest role is {need.role}"
    )
    step = assignment(need.role, principal, rights.scope)
    if has_own_key(facts.endpoint):
        return warn(name, f"{what}; the key at hand serves until it is regenerated", step)
    return fail(name, what, step)


def _role_logs(facts: Facts, principal: str | None) -> Check:
    """Queries on the workspace, and the log of the containers."""
    name = "role_logs"
    query, endpoint = facts.rights_logs, facts.rights_endpoint
    if isinstance(query, Gap) and isinstance(endpoint, Gap):
        return unknown(name, query.why, query.fix)
    good, bad, steps = [], [], []
    if not isinstance(query, Gap):
        if allows(query.roles, QUERY):
            good.append("query the Log Analytics workspace")
        else:
            bad.append(f"query {_place(query.scope)} ({QUERY}; the smallest role is {LOG_READER})")
            steps.append(assignment(LOG_READER, principal, query.scope))
    if not isinstance(endpoint, Gap) and facts.endpoint.hosting in (Hosting.MANAGED, Hosting.KUBERNETES):
        if allows(endpoint.roles, V2_LOGS):
            good.append("fetch the containers' logs")
        else:
            bad.append(f"fetch the containers' logs ({V2_LOGS}; the smallest role is {DATA_SCIENTIST})")
            steps.append(assignment(DATA_SCIENTIST, principal, endpoint.scope))
    if bad:
        make = warn if good else fail
        may = f"; may {' and '.join(good)}" if good else ""
        return make(name, f"may not {' nor '.join(bad)}{may}", steps[0])
    if isinstance(query, Gap):
        return unknown(name, query.why, query.fix)
    return ok(name, f"may {' and '.join(good)}")


def _role_metrics(facts: Facts, principal: str | None) -> Check:
    name = "role_metrics"
    rights = facts.rights_metrics
    if isinstance(rights, Gap):
        return unknown(name, rights.why, rights.fix)
    if allows(rights.roles, METRICS):
        return ok(name, f"may read metrics ({METRICS}) on {_place(rights.scope)}")
    missing = f"{METRICS} is missing on {_place(rights.scope)}"
    what = f"may not read metrics: {missing}; the smallest role is {MONITORING_READER}"
    return fail(name, what, assignment(MONITORING_READER, principal, rights.scope))


def _rights(facts: Facts, principal: str | None) -> Check:
    """Whether the principal may do far more than scoring and reading."""
    name = "rights"
    known: list[Rights] = [
        one for one in (facts.rights_endpoint, facts.rights_logs, facts.rights_metrics) if not isinstance(one, Gap)
    ]
    if not known:
        gap = facts.rights_endpoint
        return unknown(name, gap.why, gap.fix) if isinstance(gap, Gap) else unknown(name, "no scope is known")
    beyond = [(one.scope, words) for one in known if (words := excess(one.roles)) is not None]
    if not beyond:
        return ok(name, "none beyond need were found")
    scope, words = beyond[0]
    enough = (
        f"{DATA_SCIENTIST} on the endpoint, {LOG_READER} on the logs and {MONITORING_READER} for metrics are enough"
    )
    role = "Owner" if "as Owner" in words else "Contributor" if "as Contributor" in words else "ROLE"
    who = principal or "PRINCIPAL_ID"
    needed = needed_for_scoring(facts.endpoint, facts.deployed)
    first = "" if needed is None else f"{assignment(needed.role, principal, known[0].scope)} && "
    step = f"{first}az role assignment delete --role '{role}' --assignee {who} --scope SCOPE_OF_THE_ASSIGNMENT"
    return warn(name, f"the principal may {words} on {_place(scope)}; {enough}", step)


def _place(scope: str) -> str:
    """The kind and the name of what a scope is, without the path to it.

    >>> _place("/subscriptions/s/resourceGroups/g"), _place("/subscriptions/s")
    ('resourceGroups/g', 'subscriptions/s')
    """
    return "/".join(scope.strip("/").split("/")[-2:])
