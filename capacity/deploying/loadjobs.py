"""A load test on several machines: a Job with Locust's master, a Service to find it by, a Job with its workers."""

from __future__ import annotations

import json

from capacity.deploying.order import Order, filled
from capacity.deploying.pods import RESTRICTED, container_parts, env_lines, indented

WORKERS = 4

_JOBS = """\
# The limit of @NAME@, found by @WORKERS@ workers. Needs the ConfigMap redline-payload and the Secret redline-secrets.
# kubectl logs -f job/redline-limit-@SLUG@ shows the verdict.
apiVersion: v1
kind: Service
metadata:
  name: redline-limit-@SLUG@
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {app.kubernetes.io/component: limit-master, app.kubernetes.io/instance: "@SLUG@"}
  ports:
    - {name: locust, port: 5557}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: redline-limit-@SLUG@
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 1800
  template:
    metadata:
      labels:
        app.kubernetes.io/name: redline
        app.kubernetes.io/component: limit-master
        app.kubernetes.io/instance: "@SLUG@"
    spec:
@POD@
      containers:
        - name: master
          image: @IMAGE@
          command: ["locust"]
          args: @MASTER@
          ports:
            - {name: locust, containerPort: 5557}
@MASTER_ENV@
@CONTAINER@
---
apiVersion: batch/v1
kind: Job
metadata:
  name: redline-limit-@SLUG@-workers
spec:
  parallelism: @WORKERS@
  completions: @WORKERS@
  backoffLimit: 0
  activeDeadlineSeconds: 1800
  template:
    metadata:
      labels:
        app.kubernetes.io/name: redline
        app.kubernetes.io/component: limit-worker
        app.kubernetes.io/instance: "@SLUG@"
    spec:
@POD@
      containers:
        - name: worker
          image: @IMAGE@
          command: ["locust"]
          args: @WORKER@
@WORKER_ENV@
@CONTAINER@
"""


def load_test(order: Order) -> str | None:
    """The three objects; None where the endpoint's key does not come from a variable."""
    endpoint = order.endpoint
    if endpoint.auth != "none" and endpoint.key_env is None:
        return None
    keys = () if endpoint.key_env is None else (endpoint.key_env,)
    return filled(
        _JOBS,
        name=order.name,
        slug=order.slug,
        image=order.image,
        workers=str(WORKERS),
        pod=indented(_POD, 6),
        master=json.dumps(_master(order)),
        worker=json.dumps(
            [*_FILE, "--worker", "--master-host", f"redline-limit-{order.slug}", "--master-port", "5557"]
        ),
        master_env=indented(env_lines(()), 10),
        worker_env=indented(env_lines(keys), 10),
        container=indented([*container_parts(cpu="1", memory="1Gi"), *_MOUNTS], 10) + "\n" + indented(_VOLUMES, 6),
    )


_FILE = ["-f", "/opt/locustfiles/find_limit.py"]
_POD = [
    "restartPolicy: Never",
    "automountServiceAccountToken: false",
    *RESTRICTED,
]
_MOUNTS = [
    "volumeMounts:",
    "  - {name: payload, mountPath: /etc/redline-payload, readOnly: true}",
    "  - {name: tmp, mountPath: /tmp}",
]
_VOLUMES = [
    "volumes:",
    "  - {name: payload, configMap: {name: redline-payload}}",
    "  - {name: tmp, emptyDir: {}}",
]


def _master(order: Order) -> list[str]:
    endpoint = order.endpoint
    words = [*_FILE, "--headless", "--master", "--master-bind-port", "5557", "--expect-workers", str(WORKERS)]
    words += ["--expect-workers-max-wait", "300", "--host", endpoint.scoring_uri]
    words += ["--payload", "/etc/redline-payload/payload.json"]
    if endpoint.key_env is not None:
        words += ["--key-env", endpoint.key_env]
    if endpoint.hosting is not None:
        words += ["--hosting", str(endpoint.hosting.value)]
    for goal in endpoint.goals:
        words += ["--goal", goal]
    return [*words, "--max-users", "200", "--harm-budget", "300", "--budget", "10m"]
