"""The workspace that a config.json names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import RedlineError
from scoring.starting.configjson import workspace_at

PARTS = {"subscription_id": "s", "resource_group": "g", "workspace_name": "w"}
SCOPE = {"Scope": "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"}
WORKSPACE_ID = SCOPE["Scope"]


def put(path: Path, document: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("document", [PARTS, SCOPE], ids=["three parts", "Scope"])
def test_both_forms_name_the_workspace(tmp_path: Path, document: Any) -> None:
    """The form of the portal and the older one."""
    file = put(tmp_path / "any-name.json", document)
    assert workspace_at(file)[0].workspace_id == WORKSPACE_ID


@pytest.mark.parametrize(
    "place",
    ["config.json", ".azureml/config.json", "aml_config/config.json", "../config.json", "../../.azureml/project.json"],
)
def test_a_folder_is_searched_and_those_above_it(tmp_path: Path, place: str) -> None:
    """Each folder up to the top is looked through, with its .azureml and aml_config."""
    start = tmp_path / "a" / "b"
    start.mkdir(parents=True)
    put(start / place, PARTS)
    assert workspace_at(start)[0].workspace == "w"


def test_the_nearest_file_is_taken_and_azureml_comes_first(tmp_path: Path) -> None:
    """.azureml before aml_config before the folder itself; config.json before project.json."""
    for place, name in (
        ("config.json", "plain"),
        ("aml_config/config.json", "old"),
        (".azureml/project.json", "project"),
    ):
        put(tmp_path / place, PARTS | {"workspace_name": name})
    assert workspace_at(tmp_path)[0].workspace == "old"
    put(tmp_path / ".azureml/config.json", PARTS | {"workspace_name": "hidden"})
    assert workspace_at(tmp_path)[0].workspace == "hidden"


def test_a_config_json_of_something_else_is_passed_over(tmp_path: Path) -> None:
    """A search goes on above a config.json that names no workspace; one that was named itself is an error."""
    start = tmp_path / "web"
    other = put(start / "config.json", {"port": 80})
    put(tmp_path / "config.json", PARTS)
    assert workspace_at(start)[0].workspace == "w"
    with pytest.raises(RedlineError, match="names no Azure ML workspace"):
        workspace_at(other)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (PARTS | {"resource_group": ""}, "no resource_group"),
        ({"workspace_name": "w"}, "no subscription_id and no resource_group"),
        (PARTS | {"workspace_name": "../x"}, "no resource id"),
        ({"Scope": "/subscriptions/s"}, "no resource id"),
        ([], "names no"),
    ],
)
def test_a_file_that_names_half_a_workspace_says_what_is_missing(tmp_path: Path, document: Any, words: str) -> None:
    """One line with what is missing, and the form that is wanted."""
    with pytest.raises(RedlineError, match=words) as told:
        workspace_at(put(tmp_path / "config.json", document))
    assert told.value.hint
