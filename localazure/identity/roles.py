"""Azure's built-in roles, as far as they concern these calls, and what they allow. No I/O.

The lists are those of the role definitions that Azure publishes; ids are theirs too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

ML = "Microsoft.MachineLearningServices/workspaces"


@dataclass(frozen=True, slots=True)
class Role:
    """What it allows is what an action matches and no not-action does. `*` stands for any text."""

    title: str
    id: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()


ROLES = {
    "reader": Role("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", ("*/read",)),
    "data-scientist": Role(
        "AzureML Data Scientist",
        "f6c7c914-8db3-469d-8ca1-694a8f32e121",
        (f"{ML}/*/read", f"{ML}/*/action", f"{ML}/*/delete", f"{ML}/*/write"),
        (
            *(f"{ML}/delete", f"{ML}/write", f"{ML}/computes/*/write", f"{ML}/computes/*/delete"),
            *(f"{ML}/computes/listKeys/action", f"{ML}/listKeys/action", f"{ML}/hubs/write", f"{ML}/hubs/delete"),
            *(f"{ML}/featurestores/write", f"{ML}/featurestores/delete"),
        ),
    ),
    "contributor": Role(
        "Contributor",
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        ("*",),
        (
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write",
            "Microsoft.Purview/consents/delete",
            "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
            "Microsoft.Subscription/cancel/action",
            "Microsoft.Subscription/enable/action",
        ),
    ),
    "owner": Role("Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", ("*",)),
    "monitoring-reader": Role(
        "Monitoring Reader",
        "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
        ("*/read", "Microsoft.OperationalInsights/workspaces/search/action", "Microsoft.Support/*"),
    ),
    "log-analytics-reader": Role(
        "Log Analytics Reader",
        "73c42c96-874c-492b-b04d-ab87d138a893",
        (
            "*/read",
            "Microsoft.OperationalInsights/workspaces/analytics/query/action",
            "Microsoft.OperationalInsights/workspaces/search/action",
            "Microsoft.Support/*",
        ),
        ("Microsoft.OperationalInsights/workspaces/sharedKeys/read",),
    ),
    "none": Role("(no role)", "", ()),
}


def allow(names: Iterable[str], action: str) -> bool:
    """One of the roles allows the action; letter case does not matter."""
    return any(_allows(name, action.lower()) for name in names)


@lru_cache(maxsize=1024)
def _allows(name: str, action: str) -> bool:
    role = ROLES[name]
    return _matches(role.actions, action) and not _matches(role.not_actions, action)


def _matches(patterns: Iterable[str], action: str) -> bool:
    return any(re.fullmatch(re.escape(pattern.lower()).replace(r"\*", ".*"), action) for pattern in patterns)
