"""Files for Kubernetes: a CronJob that checks, a Deployment that watches, a load test on several machines."""

from __future__ import annotations

import json

from capacity.deploying.loadjobs import load_test
from capacity.deploying.order import Files, Order, filled
from capacity.deploying.pods import RESTRICTED, container_parts, env_lines, indented, mount_lines
from capacity.deploying.schedules import cron_of

_CRONJOB = """\
# redline check, on schedule. Needs the ConfigMap redline-config and the Secret redline-secrets.
apiVersion: batch/v1
kind: CronJob
metadata:
  name: redline-check-@SLUG@
  labels: {app.kubernetes.io/name: redline, app.kubernetes.io/component: check}
spec:
  schedule: "@SCHEDULE@"
  timeZone: "@ZONE@"
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 120
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 10
  jobTemplate:
    spec:
      backoffLimit: 0
      activeDeadlineSeconds: 600
      template:
        metadata:
          labels:
            app.kubernetes.io/name: redline
            app.kubernetes.io/component: check
            app.kubernetes.io/instance: "@SLUG@"
@IDENTITY@
        spec:
          restartPolicy: Never
@POD@
          containers:
            - name: check
              image: @IMAGE@
              args: ["check", "@NAME@", "--config", "/etc/redline/redline.toml"]
@ENV@
@CONTAINER@
@MOUNTS@
"""

_DEPLOYMENT = """\
# redline watch: one at a time, which its lease on the state folder asks for. Needs redline-config and redline-secrets.
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: redline-health-@SLUG@
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests: {storage: 1Gi}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: redline-watch-@SLUG@
  labels: {app.kubernetes.io/name: redline, app.kubernetes.io/component: watch}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector:
    matchLabels: {app.kubernetes.io/component: watch, app.kubernetes.io/instance: "@SLUG@"}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: redline
        app.kubernetes.io/component: watch
        app.kubernetes.io/instance: "@SLUG@"
@IDENTITY@
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "9750"
        prometheus.io/path: /metrics
    spec:
      terminationGracePeriodSeconds: 60
@POD@
      containers:
        - name: watch
          image: @IMAGE@
          args: ["watch", "@NAME@", "--config", "/etc/redline/redline.toml",
                 "--state", "/var/lib/redline/health", "--listen", "0.0.0.0:9750"]
          ports:
            - {name: metrics, containerPort: 9750}
          startupProbe:
            httpGet: {path: /healthz, port: metrics}
            periodSeconds: 2
            failureThreshold: 30
          livenessProbe:
            httpGet: {path: /healthz, port: metrics}
            periodSeconds: 30
            timeoutSeconds: 5
          readinessProbe:
            httpGet: {path: /healthz, port: metrics}
            periodSeconds: 10
            timeoutSeconds: 5
@ENV@
@CONTAINER@
@MOUNTS@
"""


def kubernetes_files(order: Order) -> Files:
    """A check on schedule, a watcher, and where the key comes from a variable also a load test."""
    zone = order.cron.zone if order.cron is not None else "UTC"
    schedule = order.cron.expression if order.cron is not None else cron_of(order.every_s)
    cronjob = filled(_CRONJOB, schedule=schedule, zone=zone, **_words(order, 10))
    texts = {
        "check-cronjob.yaml": cronjob,
        "watch-deployment.yaml": filled(_DEPLOYMENT, **_words(order, 6, state=True)),
    }
    names = " ".join(f"--from-file={name}" for name in order.files)
    literals = " ".join(f"--from-file={name}=/dev/stdin" for name in order.variables[:1])
    notes = [f"kubectl create configmap redline-config {names}"]
    if literals:
        notes.append(f"kubectl create secret generic redline-secrets {literals}  # one --from-file for each variable")
    if order.cron is None and schedule == "* * * * *" and order.every_s < 60:
        notes.append("a CronJob runs once a minute at most; the Deployment checks as often as redline.toml says")
    jobs = load_test(order)
    if jobs is None:
        notes.append("no load test is written: its workers read the key from a variable, and no key_env is set")
    else:
        texts["load-test.yaml"] = jobs
        notes.append(
            "load-test.yaml sends payload.json: kubectl create configmap redline-payload --from-file=payload.json"
        )
    return Files(texts, tuple(notes))


def _words(order: Order, column: int, *, state: bool = False) -> dict[str, str]:
    """What the templates are filled in with; the pod's specification begins at `column`."""
    identity = ['azure.workload.identity/use: "true"'] if order.signs_in else []
    pod = list(RESTRICTED)
    pod.append("  fsGroup: 10001")
    pod.append("serviceAccountName: redline" if order.signs_in else "automountServiceAccountToken: false")
    claim = f"redline-health-{order.slug}" if state else None
    return {
        "name": json.dumps(order.name)[1:-1],
        "slug": order.slug,
        "image": order.image,
        "identity": indented(identity, column + 2),
        "pod": indented(pod, column),
        "env": indented(env_lines(order.variables), column + 4),
        "container": indented(container_parts(cpu="100m", memory="512Mi"), column + 4),
        "mounts": mount_lines(order.files, column, claim),
    }
