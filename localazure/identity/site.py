"""What Azure's control plane knows of the endpoint: its workspace, its entrances and their settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from localazure.entrances import Entrance
from localazure.identity.audiences import ARM
from localazure.identity.errors import ArmError
from localazure.identity.roles import allow
from localazure.identity.tenant import Tenant
from localazure.identity.tokens import Flaw
from localazure.options import Options
from localazure.telemetry.settings import Names

V1 = ("aks", "aci")


@dataclass(slots=True)
class Operation:
    """Something that takes a while: still running when it is first asked for, done the second time."""

    kind: str
    asked_count: int = 0

    def look(self) -> bool:
        """True once it is done."""
        self.asked_count += 1
        return self.asked_count > 1


@dataclass(slots=True)
class Site:
    """Owns the settings that the control plane can change, and the operations that run."""

    names: Names
    options: Options
    tenant: Tenant
    entrances: list[Entrance]
    authority: str = ""
    arm_url: str = ""
    mms_url: str = ""
    logs_url: str = "https://api.loganalytics.io"
    metrics_url: str | None = None
    connection_string: str | None = None
    log_text: Callable[[int], str] = lambda _tail: ""  # the last so many lines of the service log
    on_key: Callable[[Entrance], None] = lambda _entrance: None  # a key was made anew
    on_switch: Callable[[bool], None] = lambda _is_on: None  # App Insights was switched
    has_app_insights: bool = True  # of the one deployment behind all endpoints
    has_diagnostics: bool = True
    worker_count: int = 1  # the deployment's WORKER_COUNT
    operations: dict[str, Operation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        control = self.options.control
        self.has_app_insights = control.has_app_insights
        self.has_diagnostics = control.has_diagnostics
        self.worker_count = control.worker_count

    @property
    def is_v1(self) -> bool:
        return self.options.hosting in V1

    def arm_id(self, entrance: Entrance) -> str:
        kind = "services" if self.is_v1 else "onlineEndpoints"
        return f"{self.names.ml_workspace_id}/{kind}/{entrance.azure_name}"

    def entrance(self, name: str) -> Entrance | None:
        """The one that Azure knows under this name."""
        return next((one for one in self.entrances if one.azure_name.lower() == name.lower()), None)

    def regenerate(self, entrance: Entrance, kind: str, value: str | None = None) -> None:
        """The old key of this kind is refused from now on."""
        if entrance.keys is not None:
            entrance.keys.regenerate(kind, value)
            self.on_key(entrance)

    def switch_app_insights(self, is_on: bool) -> None:
        if self.has_app_insights != is_on:
            self.has_app_insights = is_on
            self.on_switch(is_on)

    def begun(self, kind: str) -> str:
        """The id of an operation that has begun."""
        operation_id = str(uuid4())
        self.operations[operation_id] = Operation(kind)
        return operation_id

    def scoring_token(self, entrance: Entrance) -> Any:
        """A token that lets in at this entrance, issued by Azure ML itself."""
        issuer = f"{self.mms_url}/azureml"
        claims = {"iss": issuer, "sub": self.arm_id(entrance), "tid": self.tenant.tenant_id}
        return self.tenant.tokens.issue(self.arm_id(entrance), claims, time.time())

    def caller(self, authorization: str) -> dict[str, Any]:
        """The claims of the token with which Azure Resource Manager is called. Raises ArmError 401."""
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise _unauthorized(
                self, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
            )
        found = self.tenant.tokens.flaw(text.strip(), ARM | {self.arm_url}, time.time())
        if found is Flaw.MALFORMED:
            raise _unauthorized(self, "InvalidAuthenticationToken", "The access token is invalid.")
        if found is Flaw.EXPIRED:
            raise _unauthorized(self, "ExpiredAuthenticationToken", "The access token has expired.")
        if isinstance(found, Flaw):
            raise _unauthorized(
                self,
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource. It should exactly match with one "
                "of the allowed audiences 'https://management.core.windows.net/','https://management.azure.com/'.",
            )
        return found

    def check_right(self, caller: dict[str, Any], action: str, scope: str) -> None:
        """Raises ArmError 403 where no role of the caller allows the action."""
        if not allow(self.tenant.roles, action):
            raise ArmError(
                403,
                "AuthorizationFailed",
                f"The client '{caller['appid']}' with object id '{caller['oid']}' does not have authorization to "
                f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently "
                "granted, please refresh your credentials.",
            )


def _unauthorized(site: Site, code: str, text: str) -> ArmError:
    challenge = (
        f'Bearer authorization_uri="{site.authority}/{site.tenant.tenant_id}", error="invalid_token", '
        f'error_description="{text}"'
    )
    return ArmError(401, code, text, (("WWW-Authenticate", challenge),))


def iso_duration(duration_ns: int) -> str:
    """ISO 8601, as ARM writes it.

    >>> iso_duration(5 * 10**9), iso_duration(500 * 10**6), iso_duration(90 * 10**9), iso_duration(0)
    ('PT5S', 'PT0.5S', 'PT1M30S', 'PT0S')
    """
    hours, rest_ns = divmod(duration_ns, 3600 * 10**9)
    minutes, rest_ns = divmod(rest_ns, 60 * 10**9)
    text = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if rest_ns or not text:
        text += f"{rest_ns / 10**9:g}S"
    return f"PT{text}"
