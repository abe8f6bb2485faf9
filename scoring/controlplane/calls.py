"""What redline asks Azure about an endpoint, both generations alike; every failure is one line and a hint."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from scoring.controlplane import arm
from scoring.controlplane.deployed import DiagnosticSetting, Keys, Permission
from scoring.controlplane.ids import V1, ArmId, arm_id_of, parse_arm_id
from scoring.controlplane.reading import at
from scoring.controlplane.refusals import RestError
from scoring.controlplane.rest import Rest
from scoring.endpoint import Endpoint
from scoring.grant import Grant

PERMISSIONS_VERSION = "2022-04-01"
DIAGNOSTICS_VERSION = "2021-05-01-preview"
CONTAINERS = ("InferenceServer", "StorageInitializer")

Place = Endpoint | ArmId | str
"""An endpoint of redline.toml, or its resource id."""


def place_of(place: Place) -> ArmId:
    """The resource id of an endpoint."""
    if isinstance(place, Endpoint):
        return arm_id_of(place)
    return parse_arm_id(place) if isinstance(place, str) else place


def keys_of(rest: Rest, place: Place) -> Keys:
    """Both keys of an endpoint, by listKeys of ARM or listkeys of model management."""
    arm_id = place_of(place)
    what = f"the keys of `{arm_id.name}`"
    hint = (
        'auth = "token", "entra" or "none" in redline.toml, whichever the endpoint has; redline init --force finds out'
    )
    keys = arm.keys_told(_granted(rest, arm_id, "listkeys" if arm_id.kind == V1 else "listKeys", what, hint))
    if keys is None:
        raise RestError(f"{what}: the answer holds no primaryKey", hint)
    return keys


def token_of(rest: Rest, place: Place) -> Grant:
    """A token of an online endpoint with aml_token, or of a service of SDK v1 with token authentication."""
    arm_id = place_of(place)
    what = f"a token for `{arm_id.name}`"
    hint = 'auth = "key", "entra" or "none" in redline.toml, whichever the endpoint has; redline init --force finds out'
    source = "token of model management" if arm_id.kind == V1 else "aml_token of ARM"
    grant = arm.token_told(_granted(rest, arm_id, "token", what, hint), source)
    if grant is None:
        raise RestError(f"{what}: the answer holds no accessToken", hint)
    return grant


def logs_of(
    rest: Rest, place: Place, *, deployment: str | None = None, container: str = CONTAINERS[0], tail: int = 5000
) -> str:
    """The last lines of an endpoint's service log, foreign and as they are: by v2 getLogs, or v1 logs."""
    arm_id = place_of(place)
    if arm_id.kind == V1:
        what = f"the log of `{arm_id.name}`"
        asked = {"tail": str(tail), "init": "true" if container == CONTAINERS[1] else "false"}
        answer = rest.call("GET", f"{_service(rest, arm_id)}/logs", what=what, query=asked, scope=rest.cloud.arm_scope)
    else:
        if deployment is None:
            raise RestError(f"the log of `{arm_id.name}` is kept per deployment", "--deployment NAME")
        what = f"the log of {container} of `{arm_id.name}`, deployment `{deployment}`"
        path = f"{arm_id.in_url}/deployments/{deployment}/getLogs"
        answer = rest.call("POST", path, what=what, body={"containerType": container, "tail": tail})
    content = at(answer, "content")
    return content if isinstance(content, str) else ""


def permissions_at(rest: Rest, scope: str) -> tuple[Permission, ...]:
    """What the caller may do at a scope: one entry per role that holds there."""
    path = f"{_scope_path(scope)}/providers/Microsoft.Authorization/permissions"
    what = f"the permissions at {scope}"
    return tuple(map(arm.permission_of, rest.pages(path, what=what, api_version=PERMISSIONS_VERSION)))


def diagnostic_settings(rest: Rest, arm_id: str) -> tuple[DiagnosticSetting, ...]:
    """Where the logs of a resource go; empty where none is set."""
    path = f"{_scope_path(arm_id)}/providers/Microsoft.Insights/diagnosticSettings"
    what = f"the diagnostic settings of {arm_id.rpartition('/')[2]}"
    found = rest.pages(path, what=what, api_version=DIAGNOSTICS_VERSION)
    return tuple(map(arm.diagnostic_setting_of, found))


def set_app_insights(rest: Rest, place: Place, *, deployment: str | None = None, on: bool = True) -> None:
    """Returns when Application Insights is switched on or off for a deployment, or for a web service of SDK v1."""
    arm_id = place_of(place)
    word = "on" if on else "off"
    if arm_id.kind == V1:
        what = f"Application Insights {word} for `{arm_id.name}`"
        patch = [{"op": "replace", "path": "/appInsightsEnabled", "value": on}]
        rest.call("PATCH", _service(rest, arm_id), what=what, body=patch)
        return
    if deployment is None:
        raise RestError(f"Application Insights of `{arm_id.name}` is set per deployment", "--deployment NAME")
    what = f"Application Insights {word} for `{arm_id.name}`, deployment `{deployment}`"
    path = f"{arm_id.in_url}/deployments/{deployment}"
    document = rest.call("GET", path, what=what)
    rest.call("PUT", path, what=what, body=_with_app_insights(document, on))


def _with_app_insights(document: Any, on: bool) -> dict[str, Any]:
    """The deployment as it is written back: what ARM alone decides is left out."""
    kept = {key: document[key] for key in ("location", "tags", "sku", "kind", "identity") if document.get(key)}
    properties = {k: v for k, v in (at(document, "properties") or {}).items() if k != "provisioningState"}
    return {**kept, "properties": {**properties, "appInsightsEnabled": on}}


def _granted(rest: Rest, arm_id: ArmId, verb: str, what: str, hint: str) -> Any:
    """The answer to a call that gives a credential; 400 says that the endpoint has none of this kind."""
    url = f"{_service(rest, arm_id)}/{verb}" if arm_id.kind == V1 else f"{arm_id.in_url}/{verb}"
    try:
        return rest.call("POST", url, what=what)
    except RestError as error:
        if error.status != 400:
            raise
        raise RestError(error.message, hint, status=400, code=error.code) from error


def _service(rest: Rest, arm_id: ArmId) -> str:
    return f"{rest.mms_base(arm_id)}/services/{arm_id.name}"


def _scope_path(scope: str) -> str:
    return quote("/" + scope.strip("/"), safe="/()-._~!$&'*+,;=:@")
