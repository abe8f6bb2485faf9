"""An endpoint found by its name in a workspace: of either generation, with its deployments and its telemetry."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from scoring.controlplane import arm, mms
from scoring.controlplane.calls import Place, place_of
from scoring.controlplane.deployed import Deployed, Deployment
from scoring.controlplane.ids import V1, ArmId, parse_arm_id
from scoring.controlplane.reading import text_at
from scoring.controlplane.refusals import RestError
from scoring.controlplane.rest import Rest
from scoring.endpoint import Hosting
from scoring.text import harmless

COMPONENT_VERSION = "2020-02-02"
LOGS_WORKSPACE_VERSION = "2022-10-01"
AUTOSCALE_VERSION = "2022-10-01"
MOST_NAMES = 12


def found(rest: Rest, workspace: ArmId | str, name: str) -> Deployed:
    """The endpoint with this name: an online endpoint, else a web service of SDK v1.

    RestError where the workspace or the name does not exist, with the names that do, the nearest first.
    """
    where = parse_arm_id(workspace) if isinstance(workspace, str) else workspace
    document = _workspace(rest, where)
    try:
        deployed = _online_endpoint(rest, where.of_v2(name))
    except RestError as error:
        if error.status != 404:
            raise
        deployed = _web_service(rest, where.of_v1(name))
    return _with_telemetry(rest, deployed, document)


def deployed_at(rest: Rest, place: Place) -> Deployed:
    """The endpoint at a resource id, which says its generation. RestError where it does not exist."""
    arm_id = place_of(place)
    document = _workspace(rest, arm_id)
    deployed = _web_service(rest, arm_id) if arm_id.kind == V1 else _online_endpoint(rest, arm_id)
    return _with_telemetry(rest, deployed, document)


def names_in(rest: Rest, workspace: ArmId) -> list[str]:
    """Names of the endpoints of a workspace, of both generations, as far as they can be listed."""
    what = f"the web services of `{workspace.workspace}`"
    services = _listed(lambda: rest.pages(f"{rest.mms_base(workspace)}/services", what=what))
    return [*_online_names(rest, workspace), *services]


def _online_names(rest: Rest, workspace: ArmId) -> list[str]:
    what = f"the online endpoints of `{workspace.workspace}`"
    path = workspace.of_v2("x").in_url.rpartition("/")[0]
    return _listed(lambda: rest.pages(path, what=what))


def _workspace(rest: Rest, where: ArmId) -> Any:
    what = f"the workspace `{where.workspace}`"
    path = replace(where, kind=None, name=None).in_url
    try:
        return rest.call("GET", path, what=what)
    except RestError as error:
        if error.status != 404 or error.code in ("SubscriptionNotFound", "ResourceGroupNotFound"):
            raise
        names = _listed(lambda: rest.pages(path.rpartition("/")[0], what="the workspaces"))
        line = f"there is no workspace `{where.workspace}` in the resource group `{where.resource_group}`"
        raise _absent(error, line, where.workspace, names, "workspace_name of config.json") from error


def _online_endpoint(rest: Rest, arm_id: ArmId) -> Deployed:
    document = rest.call("GET", arm_id.in_url, what=f"the endpoint `{arm_id.name}`")
    notes: tuple[str, ...] = ()
    try:
        deployments = list(rest.pages(f"{arm_id.in_url}/deployments", what=f"the deployments of `{arm_id.name}`"))
    except RestError as error:
        deployments, notes = [], (error.message,)
    deployed = replace(arm.endpoint_of(arm_id, document, deployments), notes=notes)
    return _with_autoscale(rest, deployed, arm_id) if deployed.hosting is Hosting.MANAGED else deployed


def _web_service(rest: Rest, arm_id: ArmId) -> Deployed:
    what = f"the web service `{arm_id.name}`"
    try:
        url = f"{rest.mms_base(arm_id)}/services/{arm_id.name}"
        return mms.service_of(arm_id, rest.call("GET", url, what=what, query={"expand": "true"}))
    except RestError as error:
        name = harmless(arm_id.name or "", max_chars=100)
        if error.status == 404:
            line = f"there is no endpoint `{name}` in the workspace `{arm_id.workspace}`"
            raise _absent(error, line, name, names_in(rest, arm_id), "--endpoint NAME") from error
        there = ", ".join(_online_names(rest, arm_id)[:MOST_NAMES])
        line = f"there is no online endpoint `{name}`" + (f" (but {there})" if there else "")
        line += f", and web services of SDK v1 cannot be asked: {error.message}"
        raise RestError(line, error.hint, status=error.status, code=error.code) from error


def _with_autoscale(rest: Rest, deployed: Deployed, arm_id: ArmId) -> Deployed:
    """The endpoint with the bounds that Azure Monitor's autoscale sets its deployments, where they can be read."""
    group = arm_id.in_url.partition("/providers/")[0]
    path = f"{group}/providers/Microsoft.Insights/autoscaleSettings"
    try:
        settings = list(rest.pages(path, what="the autoscale settings", api_version=AUTOSCALE_VERSION))
    except RestError:
        return deployed
    scaled = [
        _scaled(one, arm.autoscale_of(settings, f"{arm_id.text}/deployments/{one.name}"))
        for one in deployed.deployments
    ]
    return replace(deployed, deployments=tuple(scaled))


def _scaled(deployment: Deployment, bounds: tuple[int, int] | None) -> Deployment:
    return deployment if bounds is None else replace(deployment, autoscale_min=bounds[0], autoscale_max=bounds[1])


def _with_telemetry(rest: Rest, deployed: Deployed, workspace: Any) -> Deployed:
    """The endpoint with the component of its Azure ML workspace and the Log Analytics workspace behind it."""
    deployed = replace(deployed, location=deployed.location or text_at(workspace, "location"))
    if deployed.public_network is None:
        told = (text_at(workspace, "properties", "publicNetworkAccess") or "").lower()
        deployed = replace(deployed, public_network={"enabled": True, "disabled": False}.get(told))
    component = text_at(workspace, "properties", "applicationInsights")
    if component is None:
        note = "the Azure ML workspace names no Application Insights component"
        return replace(deployed, notes=(*deployed.notes, note))
    deployed = replace(deployed, app_insights_id=component)
    try:
        what = f"the Application Insights component `{component.rpartition('/')[2]}`"
        told = rest.call("GET", component, what=what, api_version=COMPONENT_VERSION)
        logs = text_at(told, "properties", "WorkspaceResourceId")
        if logs is None:
            return replace(deployed, notes=(*deployed.notes, f"{what} keeps its rows in no Log Analytics workspace"))
        what = f"the Log Analytics workspace `{logs.rpartition('/')[2]}`"
        told = rest.call("GET", logs, what=what, api_version=LOGS_WORKSPACE_VERSION)
        guid = text_at(told, "properties", "customerId")
        return replace(deployed, logs_workspace_arm_id=logs, logs_workspace_id=guid)
    except RestError as error:
        return replace(deployed, notes=(*deployed.notes, error.message))


def _listed(pages: Callable[[], Iterable[Any]]) -> list[str]:
    try:
        return [name for name in (text_at(item, "name") for item in pages()) if name]
    except RestError:
        return []


def _absent(error: RestError, line: str, name: str, names: Iterable[str], which: str) -> RestError:
    """The error with the names that exist, those most like the given one first."""
    known = sorted(set(names), key=lambda one: (-difflib.SequenceMatcher(None, one.lower(), name.lower()).ratio(), one))
    if not known:
        return RestError(f"{line}, nor any other that can be seen", which, status=404, code=error.code)
    more = "" if len(known) <= MOST_NAMES else f" and {len(known) - MOST_NAMES} more"
    hint = which.replace("NAME", known[0]) if "NAME" in which else f"{which}: {known[0]}"
    return RestError(f"{line}; there are: {', '.join(known[:MOST_NAMES])}{more}", hint, status=404, code=error.code)
