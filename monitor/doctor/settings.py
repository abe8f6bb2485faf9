"""Settings of a deployment that contradict each other, the platform, or redline.toml. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from monitor.doctor.facts import Gap, Known
from scoring.check import Check, CheckOutcome, fail, ok, unknown, warn
from scoring.controlplane.deployed import Deployed, Deployment
from scoring.endpoint import Endpoint, Hosting
from scoring.units import MS, S

MOST_TIMEOUT_NS = {Hosting.MANAGED: 180 * S, Hosting.KUBERNETES: 300 * S}
"""The longest request timeout that the platform keeps: how-to-manage-quotas."""
WORKER_TIMEOUT_NS = 300 * S
"""What the inference server gives a worker where WORKER_TIMEOUT is not set."""

BROKEN = ("failed", "canceled", "unhealthy", "unschedulable")

Found = tuple[CheckOutcome, str, str | None]
"""How bad, what contradicts what, and what mends it."""


def answering(endpoint: Endpoint, deployed: Deployed) -> tuple[Deployment, ...]:
    """The deployments that scoring requests reach: the one that redline.toml names, else those with traffic."""
    if endpoint.deployment is not None and not is_web_service(deployed):
        return tuple(one for one in deployed.deployments if one.name == endpoint.deployment)
    return tuple(one for one in deployed.deployments if one.traffic_percent is None or one.traffic_percent > 0)


def no_deployment(deployed: Deployed) -> str:
    """Why there is no deployment to look at."""
    return deployed.notes[0] if deployed.notes and not deployed.deployments else "no deployment answers requests"


def is_web_service(deployed: Deployed) -> bool:
    """Whether it is a service of SDK v1, which has no deployments and does not tell its variables."""
    return deployed.hosting in (Hosting.ACI, Hosting.AKS)


def settings_checks(endpoint: Endpoint, deployed: Known[Deployed]) -> Iterator[Check]:
    """Workers, time-outs, instances, and whether redline.toml says what Azure says."""
    yield _of_each("workers", endpoint, deployed, workers)
    yield _of_each("timeouts", endpoint, deployed, timeouts)
    yield _of_each("instances", endpoint, deployed, instances)
    yield config_agrees_check(endpoint, deployed)


def workers(endpoint: Endpoint, one: Deployment) -> Iterator[Found]:
    """WORKER_COUNT against the requests that an instance is given at a time."""
    count = _number(one, "WORKER_COUNT")
    if not _tells_variables(one) or one.max_concurrent is None:
        return
    is_set = count is not None
    count = 1 if count is None else count
    said = f"WORKER_COUNT is {count}" if is_set else "WORKER_COUNT is not set, which means 1"
    given = f"each instance is given {_times(one.max_concurrent, 'request')} at a time"
    step = _update(endpoint, one, f"environment_variables.WORKER_COUNT={one.max_concurrent}")
    if one.max_concurrent > count:
        waiting = one.max_concurrent - count
        word = "waits" if waiting == 1 else "wait"
        yield CheckOutcome.WARN, f"{given}, but {said}: {waiting} of them {word} inside the server", step
    elif one.max_concurrent < count:
        idle = count - one.max_concurrent
        raised = _update(endpoint, one, f"request_settings.max_concurrent_requests_per_instance={count}")
        yield (
            CheckOutcome.WARN,
            f"{given}, but {said}: {_times(idle, 'worker')} of each never {'has' if idle == 1 else 'have'} work",
            raised,
        )


def timeouts(endpoint: Endpoint, one: Deployment) -> Iterator[Found]:
    """The request timeout against the platform's, the server's, and the wait for a place."""
    limit_ns = one.request_timeout_ns
    if limit_ns is None:
        return
    said = f"the request timeout is {_seconds(limit_ns)}"
    most_ns = MOST_TIMEOUT_NS.get(endpoint.hosting) if endpoint.hosting is not None else None
    if most_ns is not None and limit_ns > most_ns:
        step = _update(endpoint, one, f"request_settings.request_timeout_ms={most_ns // MS}")
        yield CheckOutcome.FAIL, f"{said}, but {endpoint.hosting} keeps {_seconds(most_ns)} at most", step
    scoring_ms = _number(one, "SCORING_TIMEOUT_MS")
    if scoring_ms is not None and scoring_ms * MS < limit_ns:
        step = _update(endpoint, one, f"environment_variables.SCORING_TIMEOUT_MS={limit_ns // MS}")
        what = f"{said}, but SCORING_TIMEOUT_MS ends run() after {_seconds(scoring_ms * MS)}, with a 500"
        yield CheckOutcome.WARN, what, step
    worker_s = _number(one, "WORKER_TIMEOUT")
    worker_ns = WORKER_TIMEOUT_NS if worker_s is None else worker_s * S
    if _tells_variables(one) and worker_ns < limit_ns:
        step = _update(endpoint, one, f"environment_variables.WORKER_TIMEOUT={-(-limit_ns // S)}")
        set_so = "WORKER_TIMEOUT" if worker_s is not None else "WORKER_TIMEOUT, not set,"
        yield CheckOutcome.WARN, f"{said}, but {set_so} kills the worker after {_seconds(worker_ns)}", step
    wait_ns = one.queue_wait_ns
    if wait_ns is not None and wait_ns >= limit_ns and endpoint.hosting is not Hosting.MANAGED:
        step = _update(endpoint, one, f"request_settings.max_queue_wait_ms={max(1, limit_ns // MS // 10)}")
        what = f"a request may wait {_seconds(wait_ns)} for a place, but {said}: it would be given up while it waits"
        yield CheckOutcome.WARN, what, step


def instances(endpoint: Endpoint, one: Deployment) -> Iterator[Found]:
    """How many there are, and whether autoscaling has room."""
    least, most = one.autoscale_min, one.autoscale_max
    if least is not None and most is not None and least > most:
        step = _update(endpoint, one, f"scale_settings.max_instances={least}")
        yield CheckOutcome.FAIL, f"autoscaling wants at least {least} and at most {most} instances", step
    least = one.instances if least is None else least
    if least == 0:
        yield CheckOutcome.FAIL, "there is no instance", _update(endpoint, one, "instance_count=2")
    elif least == 1 and endpoint.hosting is not Hosting.ACI:
        what = "one instance: while it restarts or is updated, nothing answers"
        path = "instance_count" if one.autoscale_min is None else "scale_settings.min_instances"
        yield CheckOutcome.WARN, what, _update(endpoint, one, f"{path}=2")


def config_agrees_check(endpoint: Endpoint, deployed: Known[Deployed]) -> Check:
    """Whether redline.toml says of the endpoint what Azure says."""
    name = "config_agrees"
    if isinstance(deployed, Gap):
        return unknown(name, deployed.why, deployed.fix)
    if not deployed.deployments and deployed.notes:
        return unknown(name, deployed.notes[0])
    reached = answering(endpoint, deployed)
    found = [*_endpoint_differs(endpoint, deployed), *_deployment_missing(endpoint, deployed)]
    if len(reached) == 1:
        found += _deployment_differs(endpoint, reached[0])
    if not found:
        split = ", ".join(
            f"{one.name} {one.traffic_percent} %" for one in deployed.deployments if one.traffic_percent is not None
        )
        return ok(name, "redline.toml says what Azure says" + (f"; traffic: {split}" if split else ""))
    return _worst(name, found)


def _endpoint_differs(endpoint: Endpoint, deployed: Deployed) -> Iterator[Found]:
    if deployed.auth is not None and deployed.auth != endpoint.auth:
        what = f'redline.toml says auth = "{endpoint.auth}", Azure says {deployed.auth}'
        yield CheckOutcome.FAIL, what, f'auth = "{deployed.auth}" in [endpoints.{endpoint.name}] of redline.toml'
    theirs = deployed.scoring_uri
    if theirs is not None and theirs.rstrip("/").lower() != endpoint.scoring_uri.rstrip("/").lower():
        shown = theirs.partition("?")[0]
        yield CheckOutcome.WARN, f"Azure says the scoring URI is {shown}", f'scoring_uri = "{shown}" in redline.toml'
    if deployed.state is not None and deployed.state.lower() in BROKEN:
        why = f": {deployed.error}" if deployed.error else ""
        what = f"the endpoint's provisioning state is {deployed.state}{why}"
        yield CheckOutcome.FAIL, what, f"az ml online-endpoint show --name {endpoint.name}"


def _deployment_missing(endpoint: Endpoint, deployed: Deployed) -> Iterator[Found]:
    if is_web_service(deployed) or answering(endpoint, deployed):
        return
    names = ", ".join(str(one.name) for one in deployed.deployments) or "none"
    if endpoint.deployment is not None:
        what = f"redline.toml names deployment {endpoint.deployment}, but there is: {names}"
        yield CheckOutcome.FAIL, what, "deployment = one of them, or no deployment at all, in redline.toml"
    elif not deployed.deployments:
        what = "the endpoint has no deployment, so requests are answered 404"
        yield CheckOutcome.FAIL, what, "az ml online-deployment create --file deployment.yml --all-traffic"
    else:
        what = f"no deployment has traffic ({names}), so requests are answered 404"
        first = deployed.deployments[0].name
        yield CheckOutcome.FAIL, what, f"az ml online-endpoint update --name {endpoint.name} --traffic {first}=100"


def _deployment_differs(endpoint: Endpoint, one: Deployment) -> Iterator[Found]:
    pairs = (
        ("instances", endpoint.instances, one.instances if one.autoscale_min is None else None),
        ("max_concurrent", endpoint.max_concurrent, one.max_concurrent),
    )
    for key, ours, theirs in pairs:
        if ours is not None and theirs is not None and ours != theirs:
            yield CheckOutcome.WARN, f"redline.toml says {key} = {ours}, Azure says {theirs}", f"{key} = {theirs}"
    ours_ns, theirs_ns = endpoint.request_timeout_ns, one.request_timeout_ns
    if ours_ns is not None and theirs_ns is not None and ours_ns != theirs_ns:
        what = f"redline.toml says request_timeout = {_seconds(ours_ns)}, Azure says {_seconds(theirs_ns)}"
        yield CheckOutcome.WARN, what, f'request_timeout = "{theirs_ns // MS}ms"'
    if one.state is not None and one.name is not None and one.state.lower() in BROKEN:
        what = f"the provisioning state of deployment {one.name} is {one.state}"
        step = f"az ml online-deployment get-logs --endpoint-name {endpoint.name} --name {one.name}"
        yield CheckOutcome.FAIL, what, step


def _of_each(
    name: str,
    endpoint: Endpoint,
    deployed: Known[Deployed],
    look: Callable[[Endpoint, Deployment], Iterator[Found]],
) -> Check:
    """The check over every deployment that requests reach."""
    if isinstance(deployed, Gap):
        return unknown(name, deployed.why, deployed.fix)
    reached = answering(endpoint, deployed)
    told = [(one, _SAID[name](endpoint, one)) for one in reached]
    found = [
        (outcome, _named(one, deployed) + what, step) for one, _ in told for outcome, what, step in look(endpoint, one)
    ]
    if found:
        return _worst(name, found)
    said = "; ".join(_named(one, deployed) + what for one, what in told if what)
    if not said:
        return unknown(name, "Azure does not tell these settings" if reached else no_deployment(deployed))
    return ok(name, said)


def _workers_said(_endpoint: Endpoint, one: Deployment) -> str:
    if not _tells_variables(one) or one.max_concurrent is None:
        return ""
    count = _number(one, "WORKER_COUNT") or 1
    return f"{_times(one.max_concurrent, 'request')} at a time for {_times(count, 'worker')} in each instance"


def _timeouts_said(_endpoint: Endpoint, one: Deployment) -> str:
    return "" if one.request_timeout_ns is None else f"request timeout {_seconds(one.request_timeout_ns)}"


def _instances_said(_endpoint: Endpoint, one: Deployment) -> str:
    if one.autoscale_min is not None:
        return f"autoscaling from {one.autoscale_min} to {one.autoscale_max or 'any number of'} instances"
    return "" if one.instances is None else _times(one.instances, "instance")


_SAID: dict[str, Callable[[Endpoint, Deployment], str]] = {
    "workers": _workers_said,
    "timeouts": _timeouts_said,
    "instances": _instances_said,
}


def _worst(name: str, found: list[Found]) -> Check:
    """One check for all that was found: as bad as the worst, with the step that mends that one."""
    ordered = sorted(found, key=lambda one: one[0] is not CheckOutcome.FAIL)
    outcome, _, step = ordered[0]
    make = fail if outcome is CheckOutcome.FAIL else warn
    return make(name, "; ".join(what for _, what, _ in ordered), step)


def _named(one: Deployment, deployed: Deployed) -> str:
    return f"{one.name}: " if one.name and len(deployed.deployments) > 1 else ""


def _tells_variables(one: Deployment) -> bool:
    """True for a deployment of v2: a service of SDK v1 has no name and tells no variables."""
    return one.name is not None


def _number(one: Deployment, variable: str) -> int | None:
    text = one.environment.get(variable, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _times(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _seconds(duration_ns: int) -> str:
    """Whole seconds as such, what is shorter or between in milliseconds."""
    return f"{duration_ns // S:,} s" if duration_ns % S == 0 else f"{duration_ns / MS:,.0f} ms"


def _update(endpoint: Endpoint, one: Deployment, setting: str) -> str:
    """The command that sets one value of a deployment."""
    if endpoint.hosting in (Hosting.ACI, Hosting.AKS) or one.name is None:
        return f"deploy the service anew with {setting.rpartition('.')[2]}"
    return f"az ml online-deployment update --endpoint-name {endpoint.name} --name {one.name} --set {setting}"
