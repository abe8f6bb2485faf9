"""Edge: what Azure's control plane tells: who is signed in, the deployments, rights, diagnostic settings."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.doctor.facts import Gap, Known, Rights, SignIn
from scoring.endpoint import Endpoint
from scoring.jwt import claims_of
from scoring.redact import redact
from scoring.text import harmless

if TYPE_CHECKING:
    from scoring.controlplane.deployed import Deployed, DiagnosticSetting
    from scoring.controlplane.rest import Rest


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in, and the way to ask Azure Resource Manager in that name."""

    sign_in: SignIn
    rest: Rest


def session(endpoint: Endpoint, environ: Mapping[str, str]) -> Session:
    """A session whose first token is there. RedlineError (exit 4) where none can be had."""
    from scoring.azure_auth import can_ask, signed_in
    from scoring.controlplane.clouds import cloud_of
    from scoring.controlplane.rest import Rest

    who = signed_in(endpoint.azure, environ=environ, may_ask=can_ask(environ))
    rest = Rest(who.access, who.credential, cloud_of(who.access, environ))
    token = who.credential.get_token(rest.cloud.arm_scope)
    claims = claims_of(token.token)
    return Session(
        SignIn(
            used=_safe(who.used),
            others=tuple(_safe(one) for one in who.others),
            principal_id=_text(claims.get("oid")) or _text(claims.get("appid")),
            not_before_s=_instant(claims.get("nbf")),
            expires_s=float(token.expires_on),
            signed_at_s=time.time(),
        ),
        rest,
    )


def deployed(session: Session, endpoint: Endpoint) -> Deployed:
    """The endpoint with its deployments and the telemetry that belongs to it."""
    from scoring.controlplane.finding import deployed_at

    return deployed_at(session.rest, endpoint)


def rights_on_endpoint(session: Session, endpoint: Endpoint) -> Rights:
    """What may be done with the endpoint; of a web service of SDK v1, with its workspace."""
    from scoring.controlplane.ids import V1, arm_id_of

    arm_id = arm_id_of(endpoint)
    return rights(session, arm_id.workspace_id if arm_id.kind == V1 else arm_id.text)


def rights_on_subscription(session: Session, endpoint: Endpoint) -> Rights:
    """What may be done in the whole subscription: metrics are read there."""
    from scoring.controlplane.ids import arm_id_of

    return rights(session, f"/subscriptions/{arm_id_of(endpoint).subscription_id}")


def rights(session: Session, scope: str) -> Rights:
    """What may be done at a scope."""
    from scoring.controlplane.calls import permissions_at

    return Rights(scope, permissions_at(session.rest, scope))


def diagnostics(session: Session, endpoint: Endpoint) -> Known[tuple[DiagnosticSetting, ...]]:
    """Where the endpoint's logs go."""
    from scoring.controlplane.calls import diagnostic_settings
    from scoring.controlplane.ids import V1, arm_id_of

    arm_id = arm_id_of(endpoint)
    if arm_id.kind == V1:
        return Gap("a web service of SDK v1 has no diagnostic settings")
    return diagnostic_settings(session.rest, arm_id.text)


def _text(value: object) -> str | None:
    return _safe(value) if isinstance(value, str) and value else None


def _instant(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _safe(text: str) -> str:
    return harmless(redact(text), max_chars=300)
