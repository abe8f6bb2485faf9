"""Edge: from the words of the command line and redline.toml to the plan of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from capacity.goals import parse_goal, with_defaults
from capacity.need import parse_need
from capacity.openload import CLOSED, Rates, Shape, load_fields, rates_fields
from capacity.plan import Plan
from scoring.endpoint import Endpoint, Hosting, with_access
from scoring.errors import RedlineError
from scoring.scenario import Scenario
from scoring.settings import read_scenario, read_settings
from scoring.units import S, parse_duration_ns


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go and what they hold, as typed. None: not said."""

    endpoint: str | None
    config: str
    url: str | None = None
    key_env: str | None = None
    key_file: str | None = None
    payload: str | None = None
    headers: tuple[str, ...] = ()
    hosting: str | None = None
    instances: int | None = None
    max_concurrent: int | None = None
    deadline: str | None = None
    any_body: bool = False
    auth: str | None = None  # who signs in to Azure
    ca_file: str | None = None


def endpoint_of(target: Target) -> Endpoint:
    """The endpoint that was named or given by --url, with what the other flags say about it."""
    if target.url is not None and target.endpoint is not None:
        raise RedlineError(f"both `{target.endpoint}` and --url are given", "leave one of them out")
    endpoint = replace(_named(target) if target.url is None else _at(target.url), **_said(target))
    ca_file = None if target.ca_file is None else str(Path(target.ca_file).expanduser().absolute())
    return with_access(endpoint, target.auth, ca_file)


def limit_plan(
    target: Target,
    goals: Sequence[str],
    need: str | None,
    max_users: int,
    harm_budget: int,
    budget: str,
    seed: int,
    rates: Rates = CLOSED,
) -> Plan:
    """The plan of `redline limit`. Goals and need of the endpoint stand where none are given."""
    endpoint = endpoint_of(target)
    wanted = endpoint.need if need is None else need
    parse_need(wanted)
    return Plan(
        command="limit",
        **_common(target, endpoint),
        goals=goals_of(endpoint, goals),
        max_users=max_users,
        harm_budget=harm_budget,
        budget_s=seconds_of("--budget", budget),
        need=wanted,
        seed=seed,
        **rates_fields(rates),
    )


def with_beyond(plan: Plan, is_wanted: bool, harm_budget: int | None) -> Plan:
    """The plan with what happens beyond the limit looked at too, where that is wanted."""
    if harm_budget is not None and not is_wanted:
        raise RedlineError("--beyond-budget is given, but nothing is looked at beyond the limit", "add --beyond")
    return replace(plan, beyond=is_wanted, beyond_budget=plan.beyond_budget if harm_budget is None else harm_budget)


def load_plan(
    target: Target, shape: Shape, duration: str | None, thresholds: Sequence[str], harm_budget: int, seed: int
) -> Plan:
    """The plan of `redline load`: how much is sent for how long, and the goals it must keep."""
    for text in thresholds:
        parse_goal(text)
    shape = shape if duration is None else replace(shape, duration_s=seconds_of("--for", duration))
    common, thresholds = _common(target, endpoint_of(target)), tuple(thresholds)
    fields = load_fields(shape)
    return Plan(command="load", **common, **fields, harm_budget=harm_budget, seed=seed, thresholds=thresholds)


def scenario_of(plan: Plan) -> Scenario:
    """What the plan sends: the scenario file with the plan's own payload, headers and deadline over it."""
    return read_scenario(
        plan.scenario_path,
        payload=plan.payload,
        headers=plan.headers,
        expect_json=None if plan.expect_json else False,
        deadline_ns=plan.deadline_ns,
    )


def _common(target: Target, endpoint: Endpoint) -> dict[str, Any]:
    """The fields of a plan that say what is sent where. Paths are absolute: the load runs in another folder."""
    return {
        "endpoint": endpoint,
        "scenario_path": endpoint.scenario,
        "payload": None if target.payload is None else str(Path(target.payload).expanduser().absolute()),
        "headers": headers_of(target.headers),
        "expect_json": not target.any_body,
        "deadline_ns": None if target.deadline is None else parse_duration_ns(target.deadline),
    }


def headers_of(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Names and values of `Name: value` texts. A value is never repeated in a message."""
    pairs = [text.partition(":") for text in texts]
    for name, colon, _value in pairs:
        if not colon or not name.strip():
            raise RedlineError("a --header has no colon between name and value", 'write --header "Name: value"')
    return tuple((name.strip(), value.strip()) for name, _colon, value in pairs)


def seconds_of(option: str, text: str) -> float:
    """Seconds of a time given to an option; more than none."""
    seconds = parse_duration_ns(text) / S
    if seconds <= 0:
        raise RedlineError(f"{option} {text} leaves no time", f"give at least a second: {option} 60s")
    return seconds


def goals_of(endpoint: Endpoint, texts: Sequence[str]) -> tuple[str, ...]:
    """The goals given, else those of the endpoint, with the defaults beside them. Raises for a text that is no goal."""
    goals = with_defaults(tuple(texts) or endpoint.goals)
    for text in goals:
        parse_goal(text)
    return goals


def _named(target: Target) -> Endpoint:
    path = Path(target.config)
    if target.endpoint is None:
        known = sorted(read_settings(path).endpoints) if path.is_file() else []
        hint = f"name one of: {', '.join(known)}" if known else "give --url SCORING_URI, or try `redline demo`"
        raise RedlineError("no endpoint is named", hint)
    if not path.is_file():
        raise RedlineError(
            f"`{target.endpoint}` cannot be looked up: there is no {path}",
            "name the file with --config FILE, or give --url SCORING_URI",
        )
    endpoints = read_settings(path).endpoints
    if target.endpoint not in endpoints:
        raise RedlineError(
            f"{path} has no endpoint `{target.endpoint}`", f"it has: {', '.join(sorted(endpoints)) or 'none'}"
        )
    return endpoints[target.endpoint]


def _said(target: Target) -> dict[str, Any]:
    """The fields of the endpoint that flags decide; a key given in one way replaces every other way."""
    said: dict[str, Any] = {}
    if target.key_env is not None and target.key_file is not None:
        raise RedlineError("both --key-env and --key-file are given", "leave one of them out")
    if target.key_env is not None or target.key_file is not None:
        key_file = None if target.key_file is None else str(Path(target.key_file).absolute())
        said = {"auth": "key", "key_env": target.key_env, "key_file": key_file, "key_vault": None, "key_keyring": None}
        said |= {"secondary_key_env": None, "secondary_key_file": None}
    if target.hosting is not None:
        said["hosting"] = _hosting(target.hosting)
    if target.instances is not None:
        said["instances"] = target.instances
    if target.max_concurrent is not None:
        said["max_concurrent"] = target.max_concurrent
    return said


def _hosting(text: str) -> Hosting:
    try:
        return Hosting(text)
    except ValueError:
        raise RedlineError(f"`{text}` is not a hosting", f"one of: {', '.join(Hosting)}") from None


def _at(url: str) -> Endpoint:
    """An endpoint called by the first label of its host, its name on managed endpoints; an address stays whole."""
    found = Endpoint(name="url", scoring_uri=url)
    is_address = ":" in found.host or found.host.replace(".", "").isdigit()
    return replace(found, name=found.host if is_address else found.host.partition(".")[0])
