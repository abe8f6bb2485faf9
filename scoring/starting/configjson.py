"""Edge: the workspace that a config.json of Azure ML names, found as Azure ML's own tools find it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scoring.controlplane.ids import ArmId, parse_arm_id
from scoring.errors import RedlineError
from scoring.files import json_at

MOST_LEVELS = 20
_FOLDERS = (".azureml", "aml_config", ".")
_NAMES = ("config.json", "project.json")
_HINT = '{"subscription_id": "…", "resource_group": "…", "workspace_name": "…"}, as the Azure portal offers to download'


def workspace_at(path: Path) -> tuple[ArmId, Path]:
    """The workspace of a file; of a folder, that of the first file on the search path that names one.

    The search path: in the folder and in those above it `.azureml/`, `aml_config/` and the folder itself, in each
    config.json before project.json. RedlineError where none names a workspace.
    """
    if path.is_file() or not path.is_dir():
        return workspace_told(json_at(path), str(path)), path
    for file in _candidates(path):
        document = json_at(file)
        if _names_a_workspace(document):
            return workspace_told(document, str(file)), file
    message = f"no config.json of an Azure ML workspace in {path} or above"
    raise RedlineError(message, "--from-config FILE, or --subscription ID --resource-group NAME --workspace NAME")


def workspace_told(document: Any, name: str) -> ArmId:
    """The workspace that the JSON names, by its three parts or by `Scope`; RedlineError where it names none."""
    if not _names_a_workspace(document):
        raise RedlineError(f"{name} names no Azure ML workspace", _HINT)
    scope = document.get("Scope") or document.get("Id")
    if isinstance(scope, str):
        found = parse_arm_id(scope)
        return ArmId(found.subscription_id, found.resource_group, found.workspace)
    parts = [document.get(key) for key in ("subscription_id", "resource_group", "workspace_name")]
    missing = [
        key for key in ("subscription_id", "resource_group", "workspace_name") if not _is_text(document.get(key))
    ]
    if missing:
        raise RedlineError(f"{name} has no {' and no '.join(missing)}", _HINT)
    return checked_workspace(*(str(part).strip() for part in parts))


def checked_workspace(subscription_id: str, resource_group: str, workspace: str) -> ArmId:
    """The workspace of three parts, when they can stand in a resource id."""
    return parse_arm_id(ArmId(subscription_id, resource_group, workspace).workspace_id)


def _candidates(folder: Path) -> Iterator[Path]:
    resolved = folder.resolve()
    for place in (resolved, *resolved.parents)[:MOST_LEVELS]:
        for name in _NAMES:
            yield from (file for inner in _FOLDERS if (file := place / inner / name).is_file())


def _names_a_workspace(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    return any(_is_text(document.get(key)) for key in ("Scope", "Id", "workspace_name"))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
