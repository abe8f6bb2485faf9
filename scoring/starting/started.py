"""What init found, wrote and tried: as values, as words for a newcomer, and as JSON."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scoring.controlplane.refusals import grant_command
from scoring.endpoint import Endpoint
from scoring.errors import Exit, RedlineError
from scoring.redact import redact
from scoring.starting.found import Found
from scoring.text import harmless
from scoring.units import MS, S, show_ms, show_seconds

if TYPE_CHECKING:
    from scoring.client import Answer

_REFUSED = (401, 403, 407)
_AUTH = {"none": "open", "key": "takes a key", "token": "takes an AML token", "entra": "takes an Entra token"}


@dataclass(frozen=True, slots=True)
class Checked:
    """What one scoring request came to. `exit_code` is FINE where it was answered well, or was not sent."""

    outcome: str  # ok, failed, skipped
    exit_code: Exit = Exit.FINE
    status: int | None = None
    latency_ms: float | None = None
    detail: str = ""
    hint: str | None = None
    source: str | None = None  # of its credential, in words


@dataclass(frozen=True, slots=True)
class Started:
    """What is there at the end. `payload` says where the payload is from."""

    found: Found
    out: str  # the path of redline.toml, as the person gave it
    is_added: bool  # to a file that was there
    payload: str | None
    checked: Checked

    @property
    def name(self) -> str:
        return self.found.endpoint.name


def not_checked() -> Checked:
    """No request was sent, as it was asked for."""
    return Checked("skipped")


def not_asked(error: RedlineError) -> Checked:
    """No request could be sent, because of its credential or its scenario."""
    return Checked("failed", error.exit_code, detail=error.message, hint=error.hint)


def answered(answer: Answer, endpoint: Endpoint, source: str | None) -> Checked:
    """One request was sent: it was answered well by its scenario, or refused, or not reached, or not answered well."""
    latency_ms = answer.attempt.latency_ns / MS
    status = answer.status
    if answer.attempt.failure is None:
        return Checked("ok", Exit.FINE, status, latency_ms, source=source)
    said = harmless(redact(answer.body[:200].decode("utf-8", "replace"))) if answer.body else ""
    detail = answer.detail + (f", and said: {said}" if said and status != 200 else "")
    if status is None:
        hint = f"redline doctor {shlex.quote(endpoint.name)}"
        return Checked("failed", Exit.NO_ENTRY, None, latency_ms, f"{answer.attempt.failure}: {detail}", hint, source)
    is_refused = status in _REFUSED
    hint = _refused_hint(endpoint, status) if is_refused else _payload_hint(endpoint)
    return Checked("failed", Exit.NO_ENTRY if is_refused else Exit.MISSED, status, latency_ms, detail, hint, source)


def started_text(started: Started) -> str:
    """What happened, for a person who sees this for the first time."""
    found, endpoint = started.found, started.found.endpoint
    what = ", ".join(filter(None, (str(endpoint.hosting or ""), _AUTH[endpoint.auth])))
    lines = [f"found      {endpoint.name}: {what}", f"           {endpoint.scoring_uri}"]
    lines += [f"           {line}" for line in _behind(found)]
    if found.signed_in is not None:
        lines.append(f"signed in  by {found.signed_in}")
    lines.append(f"{'added to' if started.is_added else 'wrote':<10} {started.out}" + _beside(started))
    lines.append(_outcome(started.checked))
    lines += [f"note       {note}" for note in found.notes]
    name = shlex.quote(endpoint.name)
    where = "" if started.out == "redline.toml" else f" --config {shlex.quote(started.out)}"
    lines += ["", f"Next: redline doctor {name}{where}", f"      redline limit {name}{where}"]
    return "\n".join(lines) + "\n"


def started_json(started: Started) -> str:
    """One document by docs/schemas/init.schema.json."""
    endpoint, checked = started.found.endpoint, started.checked
    document: dict[str, Any] = {
        "schema": 1,
        "config": started.out,
        "added": started.is_added,
        "endpoint": {
            "name": endpoint.name,
            "scoring_uri": endpoint.scoring_uri,
            "hosting": endpoint.hosting,
            "auth": endpoint.auth,
            "deployment": endpoint.deployment,
            "arm_id": endpoint.arm_id,
            "instances": endpoint.instances,
            "max_concurrent": endpoint.max_concurrent,
            "request_timeout_ms": None if endpoint.request_timeout_ns is None else endpoint.request_timeout_ns / MS,
            "app_insights_id": endpoint.app_insights_id,
            "workspace_id": endpoint.workspace_id,
            "scenario": endpoint.scenario,
        },
        "deployments": [
            {"name": one.name, "traffic_percent": one.traffic_percent} for one in started.found.deployments
        ],
        "payload": started.payload,
        "signed_in": started.found.signed_in,
        "others": list(started.found.others),
        "verified": {
            "outcome": checked.outcome,
            "status": checked.status,
            "latency_ms": checked.latency_ms,
            "credential": checked.source,
            "detail": checked.detail or None,
            "hint": checked.hint,
        },
        "notes": list(started.found.notes),
    }
    return json.dumps(document, indent=1) + "\n"


def complaint(started: Started) -> RedlineError | None:
    """What the person has to mend, where the request was not answered well."""
    checked = started.checked
    if checked.exit_code is Exit.FINE:
        return None
    if checked.status is None:
        message = f"`{started.name}` is written down, but no request was answered: {checked.detail}"
    else:
        message = f"`{started.name}` is written down, but its answer is not good: {checked.detail}"
    return RedlineError(message, checked.hint, checked.exit_code)


def _behind(found: Found) -> list[str]:
    """Deployments with their traffic, then what serves."""
    endpoint = found.endpoint
    named = [one for one in found.deployments if one.name is not None]
    lines = [", ".join(f"{one.name} {one.traffic_percent or 0} %" for one in named)] if named else []
    parts = []
    if endpoint.instances is not None:
        parts.append(f"{endpoint.instances} instance" + ("s" if endpoint.instances > 1 else ""))
    if endpoint.max_concurrent is not None:
        parts.append(f"{endpoint.max_concurrent} at once in each")
    if endpoint.request_timeout_ns is not None:
        parts.append(f"time-out {show_seconds(endpoint.request_timeout_ns / S)}")
    return [*lines, *([", ".join(parts)] if parts else [])]


def _beside(started: Started) -> str:
    scenario = started.found.endpoint.scenario
    folder = started.out.rpartition("/")[0]
    where = f"{folder}/{scenario}" if folder else scenario
    return "" if scenario is None else f", {where} ({started.payload})"


def _outcome(checked: Checked) -> str:
    by = f", by {checked.source}" if checked.source else ""
    if checked.outcome == "ok":
        return f"verified   one request was answered well: {checked.status} in {show_ms(checked.latency_ms)}{by}"
    if checked.outcome == "skipped":
        return "verified   no: no request was sent, as asked"
    return f"verified   no: {checked.status}{by}" if checked.status else "verified   no: there was no answer"


def _refused_hint(endpoint: Endpoint, status: int) -> str:
    if endpoint.auth == "none":
        return "read -rs SCORING_KEY && export SCORING_KEY; then the same again with --key-env SCORING_KEY --force"
    if endpoint.auth == "entra" and status == 403 and endpoint.arm_id is not None:
        return grant_command("AzureML Data Scientist", endpoint.arm_id)
    return f"redline doctor {shlex.quote(endpoint.name)}"


def _payload_hint(endpoint: Endpoint) -> str:
    if endpoint.scenario is None:
        return "give a payload that the model takes: the same again with --payload FILE --force"
    return f"look at the payload of {endpoint.scenario}, then redline doctor {shlex.quote(endpoint.name)}"
