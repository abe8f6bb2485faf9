"""Edge: the order of a deployment, from redline.toml."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from capacity.deploying.order import Order, checked_image
from scoring.alertplan import AlertPlan
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.settings import Settings, read_settings
from scoring.units import S

SIGN_IN = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET")
"""A service principal, for where no identity is attached."""


def order_of(name: str | None, config: str, image: str | None, version: str) -> Order:
    """What the endpoint's files are filled in with. Without a name, the only endpoint of the file is meant."""
    settings = read_settings(config)
    endpoint = _chosen(name, settings)
    plan = settings.checks[endpoint.name]
    signs_in = endpoint.auth != "none" and not any((endpoint.key_env, endpoint.key_file, endpoint.key_keyring))
    return Order(
        endpoint=endpoint,
        every_s=max(plan.every_ns // S, 1),
        cron=plan.cron,
        variables=tuple(dict.fromkeys(_variables(endpoint, settings.alerts, signs_in=signs_in))),
        signs_in=signs_in,
        version=version,
        image=checked_image(image or f"redline:{version}"),
        files=("redline.toml", *_beside(endpoint, Path(config).resolve().parent)),
    )


def _chosen(name: str | None, settings: Settings) -> Endpoint:
    known = ", ".join(settings.endpoints) or "none"
    if name is None:
        if len(settings.endpoints) != 1:
            raise RedlineError("no endpoint is named", f"name one of: {known}")
        return next(iter(settings.endpoints.values()))
    if name not in settings.endpoints:
        raise RedlineError(f"{settings.path} has no endpoint `{name[:64]}`", f"it has: {known}")
    return settings.endpoints[name]


def _variables(endpoint: Endpoint, alerts: AlertPlan, *, signs_in: bool) -> Iterator[str]:
    named = (
        endpoint.key_env,
        endpoint.secondary_key_env,
        alerts.webhook_env,
        alerts.apprise_env,
        alerts.dead_man_env,
        alerts.availability_env,
    )
    yield from (name for name in named if name is not None)
    if signs_in:
        yield from SIGN_IN


def _beside(endpoint: Endpoint, folder: Path) -> tuple[str, ...]:
    """The scenario, relative to the folder of redline.toml; nothing where it lies elsewhere."""
    if endpoint.scenario is None:
        return ()
    path = Path(endpoint.scenario)
    return (path.relative_to(folder).as_posix(),) if path.is_relative_to(folder) else ()
