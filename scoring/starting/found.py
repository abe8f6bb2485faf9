"""An endpoint as init has found it, and the table of redline.toml that says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from urllib.parse import urlsplit

from scoring.access import AzureAccess
from scoring.controlplane.clouds import Cloud
from scoring.controlplane.deployed import Deployed, Deployment
from scoring.controlplane.isodurations import duration_text
from scoring.controlplane.mms import swagger_beside
from scoring.endpoint import Endpoint, Hosting, checked_uri
from scoring.errors import Exit, RedlineError
from scoring.starting.endpointyaml import Described
from scoring.starting.settingstext import Draft, Line, azure_lines
from scoring.text import harmless

_V2_HOSTS = ".inference.ml."
_V1_PATH = re.compile(r"/api/v1/service/([^/]+)/score/?")
_K8S_PATH = re.compile(r"/api/v1/endpoint/([^/]+)/score/?")
_KEYS = (
    *("scoring_uri", "hosting", "auth", "key_env", "key_file", "deployment", "scenario"),
    *("instances", "max_concurrent", "request_timeout", "arm_id", "app_insights_id", "workspace_id"),
    *("logs_url", "metrics_url", "ca_file"),
)
_AUTH_WORDS = {
    "key": "the keys are fetched from Azure, by listKeys",
    "token": "fetched from Azure, and renewed before it expires",
    "entra": "the Entra token of whoever signs in; needs the right to score",
    "none": "open: whoever reaches it can score",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of an endpoint. `comments` stand beside its keys, `notes` are for the person, one line each."""

    endpoint: Endpoint
    azure: AzureAccess = field(default_factory=AzureAccess)
    comments: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    swagger_uri: str | None = None
    signed_in: str | None = None  # who was, in words
    signed_in_kind: str | None = None  # of scoring.access.AZURE_AUTH_KINDS
    others: tuple[str, ...] = ()  # who was tried before, a line each
    deployments: tuple[Deployment, ...] = ()


def of_deployed(deployed: Deployed, name: str, cloud: Cloud, access: AzureAccess, bundle: str | None) -> Found:
    """The endpoint that Azure described. `bundle` holds the authority behind a cloud that nobody knows."""
    if deployed.scoring_uri is None:
        state = f" ({deployed.state})" if deployed.state else ""
        message = f"`{deployed.name}` has no scoring URI yet{state}" + (f": {deployed.error}" if deployed.error else "")
        raise RedlineError(message, "wait until it is made, then run this again", Exit.NO_ENTRY)
    comments = {"auth": _AUTH_WORDS[deployed.auth]}
    only = deployed.deployments[0] if len(deployed.deployments) == 1 else Deployment(None)
    own = deployed.carrying or only
    is_split = sum(bool(one.traffic_percent) for one in deployed.deployments) > 1
    if is_split:
        comments["deployment"] = _split_words(own, deployed.deployments)
    if own.autoscale_max is not None:
        comments["instances"] = f"at present; autoscaled from {own.autoscale_min} to {own.autoscale_max}"
    is_v2 = deployed.hosting in (Hosting.MANAGED, Hosting.KUBERNETES)
    endpoint = Endpoint(
        name=name,
        scoring_uri=checked_uri(deployed.scoring_uri),
        hosting=deployed.hosting,
        auth=deployed.auth,
        deployment=own.name if is_split else None,
        instances=own.instances or own.autoscale_min or None,
        max_concurrent=own.max_concurrent or None,
        request_timeout_ns=own.request_timeout_ns or None,
        arm_id=deployed.arm_id,
        app_insights_id=deployed.app_insights_id,
        workspace_id=deployed.logs_workspace_id,
        logs_url=_logs_url(cloud),
        metrics_url=_metrics_url(cloud, deployed.location) if is_v2 else None,
        ca_file=bundle,
    )
    return Found(
        endpoint=endpoint,
        azure=access_of(access, cloud, bundle),
        comments=comments,
        notes=(*deployed.notes, *_notes(deployed)),
        swagger_uri=deployed.swagger_uri or swagger_beside(deployed.scoring_uri),
        deployments=deployed.deployments,
    )


def of_address(uri: str, name: str | None, described: Described) -> Found:
    """What the scoring URI tells by itself, and a YAML beside it."""
    checked_uri(uri)
    hosting, told = _told_by(uri)
    name = name or described.endpoint or told
    auth = described.auth or "none"
    endpoint = Endpoint(
        name=checked_name(name or "endpoint"),
        scoring_uri=uri,
        hosting=described.hosting or hosting,
        auth=auth,
        deployment=described.deployment,
        instances=described.instances,
        max_concurrent=described.max_concurrent,
        request_timeout_ns=described.request_timeout_ns,
    )
    comments = {} if auth == "none" else {"auth": _AUTH_WORDS[auth]}
    return Found(endpoint, comments=comments, swagger_uri=swagger_beside(uri))


def with_described(found: Found, described: Described) -> Found:
    """What Azure said, with the deployment and the settings of a YAML where Azure said nothing of them."""
    endpoint = found.endpoint
    chosen = next((one for one in found.deployments if one.name == described.deployment), None)
    if chosen is not None:
        endpoint = replace(
            endpoint,
            deployment=chosen.name,
            instances=chosen.instances or endpoint.instances,
            max_concurrent=chosen.max_concurrent or endpoint.max_concurrent,
            request_timeout_ns=chosen.request_timeout_ns or endpoint.request_timeout_ns,
        )
    elif described.deployment is not None and found.deployments:
        there = ", ".join(one.name or "" for one in found.deployments)
        message = f"`{endpoint.name}` has no deployment `{described.deployment}`; there are: {there}"
        raise RedlineError(message, f"--deployment {found.deployments[0].name}", Exit.NO_ENTRY)
    endpoint = replace(
        endpoint,
        instances=endpoint.instances or described.instances,
        max_concurrent=endpoint.max_concurrent or described.max_concurrent,
        request_timeout_ns=endpoint.request_timeout_ns or described.request_timeout_ns,
    )
    comments = {key: word for key, word in found.comments.items() if chosen is None or key not in ("deployment",)}
    return replace(found, endpoint=endpoint, comments=comments)


def with_key(found: Found, key_env: str | None, key_file: str | None) -> Found:
    """The endpoint with its key where the person keeps it, which makes it one with a key."""
    if key_env is None and key_file is None:
        return found
    comments = {key: word for key, word in found.comments.items() if key != "auth"}
    auth = found.endpoint.auth if found.endpoint.auth != "none" else "key"
    return replace(
        found, endpoint=replace(found.endpoint, auth=auth, key_env=key_env, key_file=key_file), comments=comments
    )


def near(found: Found, folder: str) -> Found:
    """The same with paths below the folder relative to it, as redline.toml there reads them."""

    def short(path: str | None) -> str | None:
        return path.removeprefix(folder.rstrip("/") + "/") if path is not None else None

    endpoint, azure = found.endpoint, found.azure
    return replace(
        found,
        endpoint=replace(endpoint, key_file=short(endpoint.key_file), ca_file=short(endpoint.ca_file)),
        azure=replace(
            azure,
            auth_file=short(azure.auth_file),
            certificate_file=short(azure.certificate_file),
            token_file=short(azure.token_file),
            ca_file=short(azure.ca_file),
        ),
    )


def draft_of(found: Found) -> Draft:
    """The table of redline.toml, in the order in which a person reads it."""
    endpoint = found.endpoint
    values = {known.name: getattr(endpoint, known.name) for known in fields(Endpoint)}
    values["hosting"] = None if endpoint.hosting is None else str(endpoint.hosting)
    timeout_ns = endpoint.request_timeout_ns
    values["request_timeout"] = None if timeout_ns is None else duration_text(timeout_ns)
    lines = [Line(key, values[key], found.comments.get(key, "")) for key in _KEYS if values[key] is not None]
    if endpoint.scenario is None:
        lines.append(Line("scenario", None, 'scenario = "scenarios/mine.toml": what to send; see docs/scenario.md'))
    above = () if found.signed_in_kind is None else (f"As Azure described it; signed in by {found.signed_in_kind}.",)
    return Draft(endpoint.name, tuple(lines), azure_lines(found.azure), above)


def access_of(access: AzureAccess, cloud: Cloud, bundle: str | None) -> AzureAccess:
    """What has to stand in [azure] for the same look-up again: what was asked for, and where an unknown cloud is."""
    if not cloud.is_custom:
        return access
    return replace(
        access,
        authority=cloud.authority,
        arm_url=cloud.arm_url,
        mms_url=cloud.mms_url,
        ca_file=access.ca_file or bundle,
    )


def checked_name(name: str) -> str:
    """The name as given, when redline.toml takes it as an endpoint's."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise RedlineError(
            f"`{harmless(name, max_chars=80)}` is no endpoint name", "--name with letters, digits, dashes"
        )
    return name


def _logs_url(cloud: Cloud) -> str | None:
    """Where the cloud's logs are asked for; None for the public cloud, which is what redline asks by itself."""
    host = urlsplit(cloud.logs_url).hostname or ""
    return None if host in ("api.loganalytics.io", "api.loganalytics.azure.com") else cloud.logs_url


def _metrics_url(cloud: Cloud, region: str | None) -> str | None:
    """Where the region's metrics are read; None where a cloud that nobody knows does not tell."""
    if region is None or (cloud.is_custom and cloud.all_metrics_url is None):
        return None
    return cloud.metrics_url(region)


def _told_by(uri: str) -> tuple[Hosting | None, str | None]:
    """Hosting and name, as far as Azure's scoring URIs tell them."""
    split = urlsplit(uri)
    host = split.hostname or ""
    for pattern, hosting in ((_V1_PATH, Hosting.AKS), (_K8S_PATH, Hosting.KUBERNETES)):
        match = pattern.fullmatch(split.path)
        if match is not None:
            return hosting, match[1]
    if _V2_HOSTS in host:
        return Hosting.MANAGED, host.partition(".")[0]
    if ".azurecontainer." in host:
        return Hosting.ACI, host.partition(".")[0]
    return (Hosting.LOCAL, "local") if host in ("localhost", "127.0.0.1", "::1") else (None, None)


def _split_words(own: Deployment, all_of_them: tuple[Deployment, ...]) -> str:
    others = ", ".join(f"{one.name} {one.traffic_percent or 0} %" for one in all_of_them if one.name != own.name)
    return f"{own.traffic_percent} % of the traffic; others: {others}. Without this line the split applies"


def _notes(deployed: Deployed) -> list[str]:
    notes = []
    if deployed.state is not None and deployed.state.lower() not in ("succeeded", "healthy"):
        notes.append(f"its state is {deployed.state}" + (f": {deployed.error}" if deployed.error else ""))
    if deployed.public_network is False:
        notes.append("public network access is disabled: it answers inside its virtual network only")
    if deployed.deployments and deployed.carrying is None:
        notes.append("no deployment takes any traffic, so requests answer 404")
    if deployed.auth == "none":
        notes.append("it takes requests without a key: whoever reaches it can score")
    off = [one.name or deployed.name for one in deployed.deployments if one.app_insights is False]
    if off:
        notes.append(f"Application Insights is off for {', '.join(off)}: redline doctor --fix app-insights")
    return notes
