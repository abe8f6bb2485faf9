"""Settings as texts to paste: a deployment file, a command, a call of the SDK. Only settings that are known appear."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from scoring.endpoint import Endpoint, Hosting

Settings = Mapping[str, str]

REQUEST_SETTINGS = ("max_concurrent_requests_per_instance", "request_timeout_ms")
SCALE_SETTINGS = ("min_instances", "max_instances", "target_utilization_percentage")
AKS_AUTOSCALE = ("autoscale_min_replicas", "autoscale_max_replicas", "autoscale_target_utilization")
AKS_REQUESTS = ("replica_max_concurrent_requests", "scoring_timeout_ms")


def texts_to_paste(endpoint: Endpoint, settings: Settings) -> dict[str, str]:
    """Title → text for the hosting of the endpoint; empty where the hosting has no such settings or none is known."""
    if endpoint.hosting is Hosting.MANAGED:
        texts = {"v2 deployment YAML": _managed_yaml(settings), "v2 az CLI": _az_command(endpoint, settings)}
    elif endpoint.hosting is Hosting.KUBERNETES:
        texts = {"v2 Kubernetes YAML": _kubernetes_yaml(settings), "v2 az CLI": _az_command(endpoint, settings)}
    elif endpoint.hosting is Hosting.AKS:
        texts = {"v1 AksWebservice (SDK)": _aks_call(endpoint, settings)}
    else:
        texts = {}
    return {title: text for title, text in texts.items() if text}


def _managed_yaml(settings: Settings) -> str:
    lines = [f"instance_count: {settings['instance_count']}"] if "instance_count" in settings else []
    return "\n".join(lines + _environment(settings) + _block("request_settings", REQUEST_SETTINGS, settings))


def _kubernetes_yaml(settings: Settings) -> str:
    scale = _block("scale_settings", SCALE_SETTINGS, settings)
    scale[1:1] = ["  type: target_utilization"] if scale else []
    return "\n".join(scale + _environment(settings) + _block("request_settings", REQUEST_SETTINGS, settings))


def _environment(settings: Settings) -> list[str]:
    """Environment variables are text in YAML: an unquoted number is refused."""
    if "WORKER_COUNT" not in settings:
        return []
    return ["environment_variables:", f'  WORKER_COUNT: "{settings["WORKER_COUNT"]}"']


def _block(title: str, names: tuple[str, ...], settings: Settings) -> list[str]:
    lines = [f"  {name}: {settings[name]}" for name in names if name in settings]
    return [f"{title}:", *lines] if lines else []


def _az_command(endpoint: Endpoint, settings: Settings) -> str:
    """Names in capitals are for the reader to fill in."""
    places = {"instance_count": "instance_count", "WORKER_COUNT": "environment_variables.WORKER_COUNT"}
    places |= {name: f"request_settings.{name}" for name in REQUEST_SETTINGS}
    places |= {name: f"scale_settings.{name}" for name in SCALE_SETTINGS}
    values = [f"{place}={settings[name]}" for name, place in places.items() if name in settings]
    if not values:
        return ""
    deployment = shlex.quote(endpoint.deployment or "DEPLOYMENT")
    target = f"--name {deployment} --endpoint-name {shlex.quote(_endpoint_name(endpoint))}"
    lines = [f"az ml online-deployment update {target}", "--resource-group GROUP --workspace-name WORKSPACE"]
    return " \\\n  ".join([*lines, "--set " + " ".join(values)])


def _endpoint_name(endpoint: Endpoint) -> str:
    """Azure's name of the endpoint where the scoring URI tells it: https://<endpoint>.<region>.inference.ml.azure.com."""
    label, _, domain = endpoint.host.partition(".")
    return label if domain.endswith(".inference.ml.azure.com") else "ENDPOINT"


def _aks_call(endpoint: Endpoint, settings: Settings) -> str:
    arguments = [f"    {name}={settings[name]}," for name in (*AKS_AUTOSCALE, *AKS_REQUESTS) if name in settings]
    if not arguments:
        return ""
    if any(name in settings for name in AKS_AUTOSCALE):
        arguments.insert(0, "    autoscale_enabled=True,")
    named = re.search(r"/api/v1/service/([A-Za-z0-9-]+)/", endpoint.path)
    lines = [
        "from azureml.core import Workspace",
        "from azureml.core.webservice import AksWebservice",
        "",
        f'service = AksWebservice(Workspace.from_config(), "{named[1] if named else "SERVICE"}")',
        *["service.update(", *arguments, ")"],
        "service.wait_for_deployment(show_output=True)",
    ]
    return "\n".join(lines)
