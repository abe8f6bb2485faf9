"""What a principal may do at a scope, by Azure's rules for roles, and which role gives what is missing. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scoring.controlplane.deployed import Permission

_ML = "Microsoft.MachineLearningServices/workspaces"
V2_KEYS = f"{_ML}/onlineEndpoints/listKeys/action"
V2_TOKEN = f"{_ML}/onlineEndpoints/token/action"
V2_SCORE = f"{_ML}/onlineEndpoints/score/action"
V2_LOGS = f"{_ML}/onlineEndpoints/deployments/getLogs/action"
V1_KEYS = f"{_ML}/services/{{kind}}/listkeys/action"
V1_TOKEN = f"{_ML}/services/aks/token/action"
QUERY = "Microsoft.OperationalInsights/workspaces/query/read"
METRICS = "Microsoft.Insights/metrics/read"
DATA_SCIENTIST = "AzureML Data Scientist"
LOG_READER = "Log Analytics Reader"
MONITORING_READER = "Monitoring Reader"
GRANTS_ROLES = "Microsoft.Authorization/roleAssignments/write"
DELETES_WORKSPACE = f"{_ML}/delete"


@dataclass(frozen=True, slots=True)
class Need:
    """One action, what it is for, and the smallest built-in role that has it."""

    action: str
    purpose: str
    role: str


def allows(permissions: Iterable[Permission], action: str) -> bool:
    """Whether one of the permissions has the action and does not take it away again."""
    return any(
        _has(permission.actions, action) and not _has(permission.not_actions, action) for permission in permissions
    )


def excess(permissions: Sequence[Permission]) -> str | None:
    """What is allowed far beyond scoring and reading, in words; None where nothing is."""
    if allows(permissions, GRANTS_ROLES):
        every = any("*" in permission.actions for permission in permissions)
        return "do everything, and give rights to others (as Owner)" if every else "give rights to others"
    if any("*" in permission.actions for permission in permissions):
        return "change and delete everything (as Contributor)"
    return "delete the workspace" if allows(permissions, DELETES_WORKSPACE) else None


def assignment(role: str, principal: str | None, scope: str) -> str:
    """The command that gives the role.

    >>> assignment("Monitoring Reader", None, "/subscriptions/s")
    "az role assignment create --role 'Monitoring Reader' --assignee PRINCIPAL_ID --scope /subscriptions/s"
    """
    return f"az role assignment create --role '{role}' --assignee {principal or 'PRINCIPAL_ID'} --scope {scope}"


def _has(patterns: Iterable[str], action: str) -> bool:
    return any(_matches(pattern, action) for pattern in patterns)


def _matches(pattern: str, action: str) -> bool:
    """Azure compares without regard to case; `*` stands for anything, slashes included."""
    parts = (re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(".*".join(parts), action, re.IGNORECASE | re.DOTALL) is not None
