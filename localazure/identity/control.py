"""What the stand-in does on demand, below /redline/ of the address of ARM. Nothing of it exists on Azure."""

from __future__ import annotations

import json
import time
from typing import Any

from localazure.entrances import KINDS
from localazure.http1 import Request
from localazure.identity.faults import BadFaultError, Faults
from localazure.identity.issuer import Issuer
from localazure.identity.roles import ROLES
from localazure.identity.site import Site
from localazure.telemetry.replies import Reply, json_reply

_MAX_LIFE_S = 10_000_000


class CommandError(ValueError):
    """A command that cannot be carried out. Its text says why."""


def route(site: Site, issuer: Issuer, faults: Faults, request: Request) -> Reply:
    """`GET /redline/counts`, and commands by POST."""
    command = request.path.removeprefix("/redline/")
    if request.method == "GET" and command == "counts":
        calls = {api: dict(sorted(found.items())) for api, found in sorted(faults.counts.items())}
        return json_reply({"calls": calls, "tokens": dict(sorted(issuer.issued_counts.items()))})
    if request.method != "POST":
        return json_reply({"error": {"code": "NotFound", "message": f"POST a command, not {command}"}}, 404)
    try:
        if command == "faults":
            return json_reply({"waiting": faults.add(request.body, time.monotonic())})
        if command == "certificates":
            return json_reply({"thumbprint": _registered(site, request.body)})
        return json_reply(_done(site, faults, command, _given(request)))
    except (CommandError, BadFaultError) as error:
        return json_reply({"error": {"code": "BadRequest", "message": str(error)}}, 400)


def _given(request: Request) -> dict[str, Any]:
    try:
        found = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CommandError("the body is not a JSON object")
    return found


def _registered(site: Site, pem: bytes) -> str:
    try:
        return site.tenant.register(pem)
    except ValueError as error:
        raise CommandError("the body is no certificate in PEM") from error


def _done(site: Site, faults: Faults, command: str, given: dict[str, Any]) -> dict[str, Any]:
    """What the command led to. Raises CommandError."""
    if command == "clear":
        faults.clear()
    elif command == "regenerate":
        _regenerate(site, given)
    elif command == "expire-tokens":
        site.tenant.tokens.revoke_all()
    elif command == "roles":
        names = given.get("roles", [])
        if not isinstance(names, list) or not names or not set(names) <= set(ROLES):
            raise CommandError(f"roles is a list of some of {', '.join(ROLES)}")
        site.tenant.roles = tuple(names)
    elif command == "settings":
        _set(site, given)
    else:
        raise CommandError(f"no command {command}")
    return {"done": command}


def _regenerate(site: Site, given: dict[str, Any]) -> None:
    entrance = site.entrance(str(given.get("endpoint", site.options.name)))
    kind = given.get("key", "Primary")
    if entrance is None or entrance.keys is None:
        raise CommandError("endpoint names none that has keys")
    if kind not in KINDS:
        raise CommandError("key is Primary or Secondary")
    site.regenerate(entrance, kind)


def _set(site: Site, given: dict[str, Any]) -> None:
    tenant = site.tenant
    for name, value in given.items():
        if name == "app_insights":
            site.switch_app_insights(bool(value))
        elif name == "diagnostic_settings":
            site.has_diagnostics = bool(value)
        elif name == "secret_expired":
            tenant.is_secret_expired = bool(value)
        elif name == "managed_identity":
            tenant.has_managed_identity = bool(value)
        elif name == "approve_device_codes":
            tenant.approves_device_codes = bool(value)
        elif name == "token_life_s" and isinstance(value, int | float) and 0 < value <= _MAX_LIFE_S:
            tenant.tokens.life_s = float(value)
        else:
            raise CommandError(f"no setting {name} with that value")
