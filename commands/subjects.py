"""From names or flags of a command line to the endpoints that are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from monitor.health.checking import Subject
from monitor.health.telemetry_checks import SignIns
from scoring.checkplan import CheckPlan
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.scenario import Scenario
from scoring.settings import Settings, read_scenario, read_settings
from scoring.units import parse_duration_ns


@dataclass(frozen=True, slots=True)
class Given:
    """The flags that describe an endpoint or change what is sent to it, as typed. None: not said."""

    url: str | None = None
    key_env: str | None = None
    key_file: str | None = None
    payload: str | None = None
    headers: tuple[str, ...] = ()
    hosting: str | None = None
    deadline: str | None = None
    any_body: bool = False
    auth: str | None = None
    ca_file: str | None = None


def subjects_of(names: Sequence[str], config: str, given: Given, environ: Mapping[str, str]) -> list[Subject]:
    """The endpoints named, all of the file without a name, or the one of --url. RedlineError where there is none."""
    if given.url is None:
        settings = settings_at(config)
        sign_ins = SignIns()
        named = _named(names, settings, given)
        return [_subject(one, settings.checks[one.name], given, environ, sign_ins) for one in named]
    if names:
        raise RedlineError(f"both `{names[0]}` and --url are given", "leave one of them out")
    return [_subject(_by_flags(None, config, given), CheckPlan(), given, environ, SignIns())]


def settings_at(config: str) -> Settings:
    """What the file says. RedlineError where there is no such file, or no endpoint in it."""
    if not Path(config).is_file():
        raise RedlineError(f"there is no {config}", "name the file with --config FILE, or give --url SCORING_URI")
    settings = read_settings(config)
    if not settings.endpoints:
        raise RedlineError(f"{config} has no endpoint", "add [endpoints.NAME] with scoring_uri; see docs/scenario.md")
    return settings


@contextmanager
def availability_of(
    config: str | None, environ: Mapping[str, str], say: Callable[[str], None]
) -> Iterator[Callable[..., None]]:
    """Where checks go that become availability rows: nowhere, unless the file names a variable for it.

    At the end of the block what is still on its way is waited for, for a bounded time. RedlineError where the file
    wants rows that cannot be sent.
    """
    settings = None if config is None else settings_at(config)
    if settings is None or settings.alerts.availability_env is None:
        yield lambda *_: None
        return
    from monitor.health.availability import sender_of

    sender = sender_of(settings.alerts, environ, say, settings.azure.ca_file)
    try:
        yield sender.add
    finally:
        sender.close()


def _named(names: Sequence[str], settings: Settings, given: Given) -> list[Endpoint]:
    unknown = [name for name in names if name not in settings.endpoints]
    if unknown:
        known = ", ".join(sorted(settings.endpoints))
        raise RedlineError(f"{settings.path} has no endpoint `{unknown[0]}`", f"it has: {known}")
    wanted = list(dict.fromkeys(names)) or [name for name in settings.endpoints if settings.checks[name].enabled]
    if not wanted:
        raise RedlineError(f"every endpoint of {settings.path} has enabled = false", "name one of them")
    if any(getattr(given, one.name) for one in fields(given)) and len(wanted) > 1:
        raise RedlineError("flags that describe an endpoint go with one endpoint", f"name it: {wanted[0]}")
    if any((given.key_env, given.key_file, given.hosting, given.auth, given.ca_file)):
        return [_by_flags(wanted[0], settings.path, given)]
    return [settings.endpoints[name] for name in wanted]


def _by_flags(name: str | None, config: str, given: Given) -> Endpoint:
    from capacity.target import Target, endpoint_of

    said: dict[str, Any] = {
        name: getattr(given, name) for name in ("key_env", "key_file", "hosting", "auth", "ca_file")
    }
    return endpoint_of(Target(name, config, given.url, **said))


def _subject(
    endpoint: Endpoint, plan: CheckPlan, given: Given, environ: Mapping[str, str], sign_ins: SignIns
) -> Subject:
    if given.deadline is not None:
        plan = replace(plan, deadline_ns=parse_duration_ns(given.deadline))
    return Subject(endpoint, _scenario(endpoint, given), plan, environ, sign_ins)


def _scenario(endpoint: Endpoint, given: Given) -> Scenario:
    from capacity.target import headers_of

    return read_scenario(
        endpoint.scenario,
        payload=given.payload,
        headers=headers_of(given.headers),
        expect_json=False if given.any_body else None,
    )
