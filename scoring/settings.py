"""Edge: redline.toml, read and checked. Every mistake of the file is told at once, with its line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scoring.access import AZURE_AUTH_KINDS, CLOUDS, AzureAccess
from scoring.alertplan import AlertPlan, Window, alert_plan, windows
from scoring.checkplan import CheckPlan, check_dependencies, check_plan, check_sources
from scoring.endpoint import AUTH_KINDS, Endpoint, Hosting, checked_deployment, checked_env_name, checked_uri
from scoring.errors import RedlineError
from scoring.files import toml_at
from scoring.scenariofile import read_scenario
from scoring.tomlfile import Document, shown
from scoring.tomlvalues import as_count, as_duration_ns, as_text, as_texts, one_of
from scoring.units import parse_rate_rps

__all__ = ["Settings", "read_scenario", "read_settings"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Settings:
    """What redline.toml says. `checks` has a plan for every endpoint, by its name."""

    path: str
    endpoints: dict[str, Endpoint]
    azure: AzureAccess = field(default_factory=AzureAccess)
    checks: dict[str, CheckPlan] = field(default_factory=dict)
    alerts: AlertPlan = field(default_factory=AlertPlan)
    maintenance: tuple[Window, ...] = ()


def read_settings(path: str | os.PathLike[str]) -> Settings:
    """The settings in redline.toml, relative paths resolved against its folder. RedlineError tells all mistakes."""
    file = Path(path)
    document = toml_at(file)
    top = document.known((), document.values, ("azure", "endpoints", "alerts", "maintenance"))
    azure = _azure(document, top.get("azure", {}), file.resolve().parent)
    endpoints: dict[str, Endpoint] = {}
    checks: dict[str, CheckPlan] = {}
    for name, value in document.table(("endpoints",), top.get("endpoints", {})).items():
        at = ("endpoints", name)
        table = document.known(at, document.table(at, value), (*_ENDPOINT_KEYS, "checks"))
        checks[name] = check_plan(document, (*at, "checks"), table.pop("checks", {}))
        endpoint = _endpoint(document, name, table, file.resolve().parent)
        if endpoint is not None:
            endpoints[name] = replace(endpoint, azure=azure)
            check_sources(document, endpoint, checks[name])
    check_dependencies(document, checks)
    alerts = _alerts(document, top.get("alerts", {}), file.resolve().parent)
    maintenance = windows(document, ("maintenance",), top.get("maintenance", {}), checks)
    document.raise_mistakes()
    return Settings(str(file), endpoints, azure, checks, alerts, maintenance)


def _alerts(document: Document, value: object, folder: Path) -> AlertPlan:
    alerts = alert_plan(document, ("alerts",), value)
    if alerts.apprise_file is None:
        return alerts
    return replace(alerts, apprise_file=str(folder / Path(alerts.apprise_file).expanduser()))


def _azure(document: Document, value: object, folder: Path) -> AzureAccess:
    at = ("azure",)
    table = document.known(at, document.table(at, value), _AZURE_KEYS)
    values = {key: document.checked((*at, key), value, _AZURE_KEYS[key]) for key, value in table.items()}
    for key in ("auth_file", "certificate_file", "token_file", "ca_file"):
        if values.get(key) is not None:
            values[key] = str(folder / Path(values[key]).expanduser())
    return AzureAccess(**{key: value for key, value in values.items() if value is not None})


def _endpoint(document: Document, name: str, table: dict[str, Any], folder: Path) -> Endpoint | None:
    at = ("endpoints", name)
    noted = len(document.mistakes)
    if not _NAME.fullmatch(name):
        document.mistake(at, "no endpoint name; allowed: up to 64 letters, digits, dots, dashes and underscores")
    values = {key: document.checked((*at, key), value, _ENDPOINT_KEYS[key]) for key, value in table.items()}
    if "scoring_uri" not in table:
        document.mistake(at, "scoring_uri is missing; allowed: the https address that Azure shows")
    sources = [key for key in ("key_env", "key_file", "key_vault", "key_keyring") if key in table]
    if len(sources) > 1:
        document.mistake((*at, sources[1]), f"{' and '.join(sources)} are both given; allowed: one of them")
    if sources and values.get("auth") == "none":
        document.mistake((*at, "auth"), f"`none` although {sources[0]} is given; allowed: key, token, entra")
    if len(document.mistakes) > noted:
        return None
    for key in ("azure_token_file", "ca_file", "key_file", "secondary_key_file", "scenario"):
        if key in values:
            values[key] = str(folder / Path(values[key]).expanduser())
    if "request_timeout" in values:
        values["request_timeout_ns"] = values.pop("request_timeout")
    values.setdefault("auth", "key" if sources else "none")
    return Endpoint(name=name, **values)


def _need(value: object) -> str:
    text = as_text(value)
    if re.fullmatch(r"[1-9]\d{0,6}\s?users?", text) is None:
        try:
            parse_rate_rps(text)
        except RedlineError:
            raise RedlineError(f"{shown(text)} is no need", '"25rps", "40users"') from None
    return text


def _scenario_path(value: object) -> str:
    if value == "-":
        raise RedlineError("`-` is no file", "the path of a scenario file")
    return as_text(value)


_ENDPOINT_KEYS: dict[str, Callable[[object], Any]] = {
    "scoring_uri": lambda value: checked_uri(as_text(value)),
    "hosting": lambda value: Hosting(one_of(Hosting)(value)),
    "deployment": lambda value: checked_deployment(as_text(value)),
    "auth": one_of(AUTH_KINDS),
    "key_env": lambda value: checked_env_name(as_text(value)),
    "key_file": as_text,
    "key_vault": as_text,
    "key_keyring": as_text,
    "secondary_key_env": lambda value: checked_env_name(as_text(value)),
    "secondary_key_file": as_text,
    "scenario": _scenario_path,
    "goals": as_texts,
    "need": _need,
    "arm_id": as_text,
    "app_insights_id": as_text,
    "workspace_id": as_text,
    "logs_url": lambda value: checked_uri(as_text(value)),
    "metrics_url": lambda value: checked_uri(as_text(value)),
    "azure_token_file": as_text,
    "ca_file": as_text,
    "instances": as_count,
    "max_concurrent": as_count,
    "request_timeout": as_duration_ns,
}
_AZURE_KEYS: dict[str, Callable[[object], Any]] = {
    "auth": one_of(AZURE_AUTH_KINDS),
    "cloud": one_of(CLOUDS),
    "tenant_id": as_text,
    "client_id": as_text,
    "auth_file": as_text,
    "certificate_file": as_text,
    "token_file": as_text,
    "authority": lambda value: checked_uri(as_text(value)),
    "arm_url": lambda value: checked_uri(as_text(value)),
    "mms_url": lambda value: checked_uri(as_text(value)),
    "ca_file": as_text,
}
