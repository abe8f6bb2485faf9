"""The parts that every pod has alike: variables from the Secret, mounts, resources, a restricted security context."""

from __future__ import annotations

from collections.abc import Sequence

RESTRICTED = (
    "securityContext:",
    "  runAsNonRoot: true",
    "  runAsUser: 10001",
    "  runAsGroup: 10001",
    "  seccompProfile: {type: RuntimeDefault}",
)
"""What the restricted profile of Kubernetes asks of a pod."""


def indented(lines: Sequence[str], column: int) -> str:
    """The lines as one text, each begun at `column`."""
    return "\n".join(" " * column + line for line in lines)


def env_lines(variables: Sequence[str]) -> list[str]:
    """`env:` with each variable out of the Secret redline-secrets; those that the Secret lacks stay unset."""
    lines = ["env:", "  - {name: HOME, value: /tmp}"]
    for name in variables:
        reference = f"{{name: redline-secrets, key: {name}, optional: true}}"
        lines.append(f"  - {{name: {name}, valueFrom: {{secretKeyRef: {reference}}}}}")
    return lines


def container_parts(*, cpu: str, memory: str) -> list[str]:
    """Resources, and what the restricted profile of Kubernetes asks for."""
    return [
        "resources:",
        f"  requests: {{cpu: {cpu}, memory: {memory}}}",
        f"  limits: {{memory: {memory}}}",
        "securityContext:",
        "  allowPrivilegeEscalation: false",
        "  readOnlyRootFilesystem: true",
        "  capabilities: {drop: [ALL]}",
    ]


def mount_lines(files: Sequence[str], column: int, claim: str | None) -> str:
    """Mounts of one container and volumes of its pod, which begins at `column`; `claim` keeps the health state."""
    mounts = ["volumeMounts:", "  - {name: config, mountPath: /etc/redline, readOnly: true}"]
    mounts.append("  - {name: tmp, mountPath: /tmp}")
    volumes = ["volumes:", "  - name: config", "    configMap:", "      name: redline-config", "      items:"]
    volumes += [f"        - {{key: {name.rpartition('/')[2]}, path: {name}}}" for name in files]
    volumes.append("  - {name: tmp, emptyDir: {}}")
    if claim is not None:
        mounts.append("  - {name: health, mountPath: /var/lib/redline}")
        volumes.append(f"  - {{name: health, persistentVolumeClaim: {{claimName: {claim}}}}}")
    return indented(mounts, column + 4) + "\n" + indented(volumes, column)
