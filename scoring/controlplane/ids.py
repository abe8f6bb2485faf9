"""Resource ids of Azure: which workspace, which endpoint, of which generation."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote

from scoring.endpoint import Endpoint, Hosting
from scoring.errors import RedlineError
from scoring.text import harmless

V1 = "services"
V2 = "onlineEndpoints"
_PROVIDER = "Microsoft.MachineLearningServices"
_NAME = r"[^/?#%\\\s\x00-\x1f]{1,260}"
_ID = re.compile(
    rf"/subscriptions/({_NAME})/resourceGroups/({_NAME})/providers/{re.escape(_PROVIDER)}/workspaces/({_NAME})"
    rf"(?:/(services|onlineEndpoints)/({_NAME})(?:/deployments/({_NAME}))?)?/?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ArmId:
    """A workspace, or an endpoint in it: `kind` is V2 (onlineEndpoints) or V1 (services); None with the workspace."""

    subscription_id: str
    resource_group: str
    workspace: str
    kind: str | None = None
    name: str | None = None

    @property
    def workspace_id(self) -> str:
        """The resource id of the workspace alone."""
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/{_PROVIDER}/workspaces/{self.workspace}"
        )

    @property
    def text(self) -> str:
        return self.workspace_id if self.kind is None else f"{self.workspace_id}/{self.kind}/{self.name}"

    @property
    def in_url(self) -> str:
        """The id with everything percent-encoded that a path does not hold."""
        return quote(self.text, safe="/()-._~!$&'*+,;=:@")

    def of_v1(self, name: str) -> ArmId:
        """The web service of SDK v1 with this name, in the same workspace."""
        return replace(self, kind=V1, name=name)

    def of_v2(self, name: str) -> ArmId:
        """The online endpoint with this name, in the same workspace."""
        return replace(self, kind=V2, name=name)


def parse_arm_id(text: str) -> ArmId:
    """The id, in any case of letters; RedlineError when it names no Azure ML workspace, endpoint or service."""
    match = _ID.fullmatch(text.strip())
    if match is None or not all(match.group(1, 2, 3)) or ".." in text.split("/"):
        raise RedlineError(
            f"`{harmless(text, max_chars=300)}` is no resource id of an Azure ML workspace or endpoint",
            f"/subscriptions/S/resourceGroups/G/providers/{_PROVIDER}/workspaces/W/onlineEndpoints/NAME",
        )
    kind = {"services": V1, "onlineendpoints": V2}.get((match[4] or "").lower())
    return ArmId(match[1], match[2], match[3], kind, match[5])


def arm_id_of(endpoint: Endpoint) -> ArmId:
    """The endpoint's id, its kind by the hosting: aci and aks are web services of v1, managed and kubernetes are v2.

    Without a hosting the id itself decides. RedlineError where there is none, or where it names no endpoint.
    """
    hint = (
        f'arm_id = "/subscriptions/S/resourceGroups/G/providers/{_PROVIDER}/workspaces/W/onlineEndpoints/NAME"'
        " in redline.toml; redline init writes it"
    )
    if endpoint.arm_id is None:
        raise RedlineError(f"`{endpoint.name}` has no arm_id, so Azure cannot be asked about it", hint)
    found = parse_arm_id(endpoint.arm_id)
    if found.kind is None or found.name is None:
        raise RedlineError(f"the arm_id of `{endpoint.name}` names a workspace, not an endpoint in it", hint)
    if endpoint.hosting in (Hosting.ACI, Hosting.AKS):
        return replace(found, kind=V1)
    if endpoint.hosting in (Hosting.MANAGED, Hosting.KUBERNETES):
        return replace(found, kind=V2)
    return found
