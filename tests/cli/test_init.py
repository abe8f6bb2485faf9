"""`redline init`, as a newcomer types it, against the local stand-in for Azure."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from scoring.settings import read_scenario, read_settings
from tests.cli.serving import Served, serving
from tests.cli.standin_control import command
from tests.cli.terminal import KEY, ROOT, Told, files_with, redline, scoring_server

PARTS = ("subscription_id", "resource_group", "workspace_name")


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(
        tmp_path_factory.mktemp("managed"),
        "--hosting",
        "managed",
        "--instances",
        "2",
        "--max-concurrent",
        "4",
        "--app-insights",
        "off",
    ) as served:
        yield served


@pytest.fixture(scope="module")
def aks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("aks"), "--hosting", "aks", "--instances", "3") as served:
        yield served


def init(served: Served, folder: Path, *flags: str, **environ: str) -> Told:
    """`redline init` beside a config.json, with no more than the environment that azure-identity reads."""
    document = {key: served.ready[key] for key in PARTS}
    (folder / "config.json").write_text(json.dumps(document))
    return redline(folder, "init", *flags, **{**served.ready["environments"]["environment"], **environ})


def test_a_config_json_and_a_name_are_enough(managed: Served, tmp_path: Path) -> None:
    """The command of the contract writes what Azure says, and an authenticated request by it is answered well."""
    told = init(managed, tmp_path, "--from-config", "config.json", "--endpoint", "local", "--out", "redline.toml")
    assert told.code == 0, told.err
    endpoint = read_settings(tmp_path / "redline.toml").endpoints["local"]
    assert endpoint.scoring_uri == managed.ready["scoring_uri"]
    assert (endpoint.hosting, endpoint.auth) == ("managed", "key")
    assert (endpoint.instances, endpoint.max_concurrent) == (2, 4)
    assert endpoint.arm_id == managed.ready["resource_id"]
    assert endpoint.workspace_id == managed.ready["workspace_id"]
    assert endpoint.azure.arm_url == managed.ready["arm_url"]
    assert read_scenario(endpoint.scenario).payloads[0].body == b'{"data": [[1.0, 2.0, 3.0]]}\n'
    assert "one request was answered well: 200" in told.out
    assert "redline limit local" in told.out
    assert "Application Insights is off for blue" in told.out


def test_no_secret_is_written_or_said(managed: Served, tmp_path: Path) -> None:
    """Neither the client's secret nor a key is in a file or on the screen."""
    told = init(managed, tmp_path, "--endpoint", "local")
    for secret in (managed.ready["client_secret"], managed.ready["key"]):
        assert files_with(secret, tmp_path) == []
        assert secret not in told.out + told.err


@pytest.mark.parametrize(("name", "auth"), [("local-token", "token"), ("local-entra", "entra")])
def test_tokens_are_found_and_used(managed: Served, tmp_path: Path, name: str, auth: str) -> None:
    """An endpoint with AML or Entra tokens is verified with one."""
    told = init(managed, tmp_path, "--endpoint", name, "--json")
    assert told.code == 0, told.err
    assert (told.json["endpoint"]["auth"], told.json["verified"]["status"]) == (auth, 200)


@pytest.mark.parametrize(("name", "auth"), [("local", "key"), ("local-token", "token"), ("local-open", "none")])
def test_a_web_service_of_sdk_v1_is_found_by_the_same_command(
    aks: Served, tmp_path: Path, name: str, auth: str
) -> None:
    """Nobody needs to know of which generation an endpoint is."""
    told = init(aks, tmp_path, "--endpoint", name)
    endpoint = read_settings(tmp_path / "redline.toml").endpoints[name]
    assert (told.code, endpoint.hosting, endpoint.auth, endpoint.instances) == (0, "aks", auth, 3)
    assert ("whoever reaches it can score" in told.out) is (auth == "none")


def test_the_json_fits_its_committed_schema(aks: Served, tmp_path: Path) -> None:
    """Programs may rely on docs/schemas/init.schema.json."""
    schema = Draft202012Validator(json.loads((ROOT / "docs/schemas/init.schema.json").read_text()))
    document = init(aks, tmp_path, "--endpoint", "local", "--json").json
    assert list(schema.iter_errors(document)) == []
    assert list(schema.iter_errors({**document, "verified": {}})) != []


def test_endpoints_are_added_and_never_overwritten(managed: Served, tmp_path: Path) -> None:
    """What a person wrote into the file stays; a name that is taken needs --force, before Azure is asked."""
    file = tmp_path / "redline.toml"
    file.write_text('# mine\n[endpoints.other]\nscoring_uri = "http://127.0.0.1:1/score"\n')
    assert init(managed, tmp_path, "--endpoint", "local", "--no-verify").code == 0
    text = file.read_text()
    assert text.startswith("# mine\n[endpoints.other]")
    again = init(managed, tmp_path, "--endpoint", "local", AZURE_CLIENT_SECRET="wrong")
    assert again.code == 2
    assert "--force" in again.err
    assert file.read_text() == text
    assert init(managed, tmp_path, "--endpoint", "local", "--no-verify", "--force").code == 0
    assert set(tomllib.loads(file.read_text())["endpoints"]) == {"local", "other"}


def test_a_scenario_that_is_there_stays(managed: Served, tmp_path: Path) -> None:
    """The payload that a person has put there is used, not replaced."""
    (tmp_path / "scenarios").mkdir()
    mine = "[payload]\ninline = {data = [[7]]}\n"
    (tmp_path / "scenarios/local.toml").write_text(mine)
    told = init(managed, tmp_path, "--endpoint", "local")
    assert told.code == 0
    assert (tmp_path / "scenarios/local.toml").read_text() == mine


def test_a_wrong_name_is_told_with_the_right_ones(managed: Served, tmp_path: Path) -> None:
    """The nearest first, and what to type; nothing is written."""
    told = init(managed, tmp_path, "--endpoint", "locl")
    assert told.code == 4
    assert "there is no endpoint `locl`" in told.err
    assert "there are: local, " in told.err
    assert "--endpoint local" in told.err
    assert not (tmp_path / "redline.toml").exists()


def test_without_a_name_those_that_exist_are_told(managed: Served, tmp_path: Path) -> None:
    """Where no person can be asked, the names are in the error."""
    told = init(managed, tmp_path)
    assert told.code == 2
    assert "local, local-" in told.err


def test_a_right_that_is_missing_is_named_with_its_role(aks: Served, tmp_path: Path) -> None:
    """Whoever may read but not list keys gets the file, and the role to ask for; exit code 4."""
    command(aks.ready, "roles", {"roles": ["reader"]})
    try:
        told = init(aks, tmp_path, "--endpoint", "local")
    finally:
        command(aks.ready, "roles", {"roles": ["data-scientist", "monitoring-reader"]})
    assert told.code == 4
    assert "AzureML Data Scientist" in told.err
    assert "az role assignment create" in told.err
    assert read_settings(tmp_path / "redline.toml").endpoints["local"].auth == "key"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"workspace_name": "locale"}, "there is no workspace `locale`"),
        ({"resource_group": "other"}, "no such resource group"),
        ({"subscription_id": "00000000-0000-0000-0000-000000000000"}, "subscription does not exist"),
    ],
)
def test_a_wrong_part_of_config_json_is_named(
    managed: Served, tmp_path: Path, document: dict[str, str], words: str
) -> None:
    """Workspace, resource group and subscription each have their own line; exit code 4."""
    parts = {key: managed.ready[key] for key in PARTS} | document
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(parts))
    told = init(managed, tmp_path, "--from-config", str(file), "--endpoint", "local")
    assert told.code == 4
    assert words in told.err


def test_a_yaml_names_the_endpoint(managed: Served, tmp_path: Path) -> None:
    """A deployment's YAML is enough beside the workspace, and pins its deployment."""
    (tmp_path / "blue.yml").write_text("name: blue\nendpoint_name: local\ninstance_count: 9\n")
    told = init(managed, tmp_path, "--from-yaml", "blue.yml", "--no-verify")
    endpoint = read_settings(tmp_path / "redline.toml").endpoints["local"]
    assert (told.code, endpoint.deployment, endpoint.instances) == (0, "blue", 2)


def test_a_deployment_that_is_not_there_is_told(managed: Served, tmp_path: Path) -> None:
    """With those that are."""
    told = init(managed, tmp_path, "--endpoint", "local", "--deployment", "green")
    assert told.code == 4
    assert "no deployment `green`; there are: blue" in told.err


def test_an_address_and_a_key_are_enough(tmp_path: Path) -> None:
    """Without Azure: the address is written, the key stays in its variable, the request is answered well."""
    with scoring_server() as server:
        told = redline(tmp_path, "init", "--url", server.uri, "--name", "mine", "--key-env", "SCORING_KEY")
    endpoint = read_settings(tmp_path / "redline.toml").endpoints["mine"]
    assert (told.code, endpoint.auth, endpoint.key_env) == (0, "key", "SCORING_KEY")
    assert server.keys == {f"Bearer {KEY}"}
    assert files_with(KEY, tmp_path) == []


def test_an_address_that_wants_a_key_says_so(managed: Served, tmp_path: Path) -> None:
    """Refused without a key: exit code 4, and the flags to add."""
    told = redline(tmp_path, "init", "--url", managed.ready["scoring_uri"])
    assert told.code == 4
    assert "--key-env SCORING_KEY" in told.err


def test_an_answer_that_is_not_good_is_told_and_the_file_kept(tmp_path: Path) -> None:
    """A payload that the model refuses: exit code 1, with the answer's words and the way out."""
    with scoring_server(status=500, body=b'{"message": "no column age"}') as server:
        told = redline(tmp_path, "init", "--url", server.uri, "--name", "mine")
    assert told.code == 1
    assert "no column age" in told.err
    assert "--payload FILE" in told.err
    assert (tmp_path / "redline.toml").exists()


def test_a_payload_of_ones_own_becomes_the_scenario(tmp_path: Path) -> None:
    """The scenario names the file where it is."""
    (tmp_path / "sample.json").write_text('{"rows": 1}')
    with scoring_server() as server:
        told = redline(tmp_path, "init", "--url", server.uri, "--name", "mine", "--payload", "sample.json")
    endpoint = read_settings(tmp_path / "redline.toml").endpoints["mine"]
    assert told.code == 0
    assert read_scenario(endpoint.scenario).payloads[0].body == b'{"rows": 1}'


def test_a_payload_that_is_not_there_is_told_before_anything_is_written(tmp_path: Path) -> None:
    """A wrong path costs nothing."""
    told = redline(tmp_path, "init", "--url", "http://127.0.0.1:1/score", "--payload", "sample.json")
    assert told.code == 2
    assert "sample.json cannot be read" in told.err
    assert list(tmp_path.iterdir()) == []


def test_a_scenario_with_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    """What a person wrote there stays, and what is wrong with it has its own exit code."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/mine.toml").write_text("deadlin = 3\n")
    told = redline(tmp_path, "init", "--url", "http://127.0.0.1:1/score", "--name", "mine")
    assert told.code == 2
    assert "did you mean deadline" in told.err


def test_nothing_to_go_by_is_told_with_what_to_give(tmp_path: Path) -> None:
    """No config.json and no address: one line and both ways."""
    told = redline(tmp_path, "init", "--endpoint", "churn")
    assert told.code == 2
    assert "--from-config config.json" in told.err
    assert "--url SCORING_URI" in told.err


def test_nobody_who_can_sign_in_is_exit_code_4(managed: Served, tmp_path: Path) -> None:
    """A wrong secret is one line; nothing is written."""
    told = init(managed, tmp_path, "--endpoint", "local", AZURE_CLIENT_SECRET="wrong")
    assert told.code == 4
    assert told.err.count("\n") <= 4
    assert not (tmp_path / "redline.toml").exists()
