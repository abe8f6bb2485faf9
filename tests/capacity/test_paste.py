"""capacity.paste, seen through recommend: texts as Azure's own tools read them."""

import ast
import shlex
from dataclasses import replace

from capacity.recommend import recommend
from scoring.endpoint import Hosting
from tests.capacity.verdicts import endpoint, verdict

MANAGED_YAML = """\
instance_count: 5
environment_variables:
  WORKER_COUNT: "2"
request_settings:
  max_concurrent_requests_per_instance: 2
  request_timeout_ms: 5000"""

KUBERNETES_YAML = """\
scale_settings:
  type: target_utilization
  min_instances: 5
  max_instances: 8
  target_utilization_percentage: 70
environment_variables:
  WORKER_COUNT: "2"
request_settings:
  max_concurrent_requests_per_instance: 2
  request_timeout_ms: 5000"""


def test_the_yaml_of_a_managed_deployment():
    """Azure's keys, the environment variable as text."""
    assert recommend(verdict(), endpoint(), None, 20).paste["v2 deployment YAML"] == MANAGED_YAML


def test_the_yaml_of_a_kubernetes_deployment():
    """Least and most replicas: 5, and half as many again rounded up."""
    paste = recommend(verdict(), endpoint(Hosting.KUBERNETES), None, 20).paste
    assert paste["v2 Kubernetes YAML"] == KUBERNETES_YAML


def test_the_command_names_the_deployment_and_sets_what_the_yaml_says():
    """One shell command; the endpoint's name comes from a managed scoring URI."""
    words = shlex.split(recommend(verdict(), endpoint(), None, 20).paste["v2 az CLI"].replace("\\\n", " "))
    assert words[:8] == ["az", "ml", "online-deployment", "update", "--name", "blue", "--endpoint-name", "churn-prod"]
    assert words[words.index("--set") + 1 :] == [
        "instance_count=5",
        "environment_variables.WORKER_COUNT=2",
        "request_settings.max_concurrent_requests_per_instance=2",
        "request_settings.request_timeout_ms=5000",
    ]


def test_the_sdk_call_of_an_aks_service_is_python_with_the_sdks_names():
    """Keyword arguments of AksWebservice.update, the service's name from its URI."""
    uri = "http://10.0.0.4:80/api/v1/service/churn-svc/score"
    asked = replace(endpoint(Hosting.AKS), scoring_uri=uri)
    text = recommend(verdict(), asked, None, 20).paste["v1 AksWebservice (SDK)"]
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    update = next(call for call in calls if getattr(call.func, "attr", "") == "update")
    assert {word.arg: ast.literal_eval(word.value) for word in update.keywords} == {
        "autoscale_enabled": True,
        "autoscale_min_replicas": 5,
        "autoscale_max_replicas": 8,
        "autoscale_target_utilization": 70,
        "replica_max_concurrent_requests": 2,
        "scoring_timeout_ms": 60000,
    }
    assert '"churn-svc"' in text
