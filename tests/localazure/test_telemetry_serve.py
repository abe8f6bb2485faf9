"""What `redline serve` tells of its own requests, asked for through the real client with the ready file's values."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.localazure.asking import Asking
from tests.localazure.conftest import Endpoint, Serve

Told = Callable[..., tuple[Endpoint, Asking]]
CODE = "tostring(customDimensions['resultCode'])"


@pytest.fixture(scope="module")
def told(serve: Serve) -> Iterator[Told]:
    """`told("--hosting", "managed", …)` is an endpoint and somebody who asks about it."""
    opened: list[Asking] = []

    def start(*flags: str) -> tuple[Endpoint, Asking]:
        endpoint = serve("--service-time", "1ms", "--telemetry-flush", "100ms", *flags)
        opened.append(Asking(endpoint.ready))
        return endpoint, opened[-1]

    yield start
    for asking in opened:
        asking.close()


@pytest.fixture(scope="module")
def managed(told: Told) -> tuple[Endpoint, Asking]:
    """A managed endpoint that has scored 40 requests, of which the script raised on some, and refused two."""
    endpoint, asking = told("--hosting", "managed", "--error-ratio", "30%", "--seed", "3")
    for number in range(40):
        endpoint.score(x_ms_client_request_id=f"request-{number}", user_agent="u" * 100)
    endpoint.call("POST", endpoint.path, b"{}", {"Authorization": "Bearer wrong", "Content-Type": "application/json"})
    endpoint.score(azureml_model_deployment="green")
    asking.count_once("requests | count", 40)
    asking.count_once("AmlOnlineEndpointTrafficLog | count", 42)
    return endpoint, asking


def test_the_standard_columns_lie_as_those_of_the_present_server(managed: tuple[Endpoint, Asking]) -> None:
    """Each request that reached the model has result code 0, success and no duration."""
    rows = managed[1].rows("requests | summarize sum(itemCount), max(duration) by resultCode, success, name")
    assert rows == [["0", "True", "/score", 40, 0.0]]


def test_the_dimensions_and_the_traffic_log_tell_the_codes_of_the_client(managed: tuple[Endpoint, Asking]) -> None:
    """Codes in the dimensions are those of the model; the traffic log has what the caller got, refusals too."""
    endpoint, asking = managed
    by_status = endpoint.stats()["by_status"]
    failed = by_status["424"]
    assert failed > 0
    told = dict(asking.rows(f"requests | summarize sum(itemCount) by code = {CODE}"))
    assert told == {"200": 40 - failed, "500": failed}
    traffic = "AmlOnlineEndpointTrafficLog | summarize count() by code = tostring(ResponseCode)"
    assert dict(asking.rows(traffic)) == by_status == {"200": 40 - failed, "424": failed, "401": 1, "404": 1}


def test_the_traffic_log_tells_what_the_container_answered(managed: tuple[Endpoint, Asking]) -> None:
    """A 424 has the container's 500; a refusal has no container status but a reason."""
    rows = managed[1].rows(
        "AmlOnlineEndpointTrafficLog | where ResponseCode != 200"
        " | summarize by ResponseCode, ModelStatusCode, ResponseCodeReason"
    )
    refused = [[401, None, "key_auth_access_denied"], [404, None, "traffic_group_not_found"]]
    assert sorted(rows, key=str) == [*refused, [424, 500, "model_error"]]


def test_our_id_is_in_both_sources(managed: tuple[Endpoint, Asking]) -> None:
    """The caller's id joins the traffic log to the request rows, one to one."""
    rows = managed[1].rows(
        "requests | extend rid = tostring(customDimensions['Client Request Id']) | where rid startswith 'request-'"
        " | join kind=inner (AmlOnlineEndpointTrafficLog | extend rid = XMSClientRequestId) on rid"
        " | summarize count(), dcount(rid)"
    )
    assert rows == [[40, 40]]


def test_agents_are_cut_as_the_traffic_log_cuts_them(managed: tuple[Endpoint, Asking]) -> None:
    """The user agent has at most 70 characters."""
    rows = managed[1].rows("AmlOnlineEndpointTrafficLog | summarize max(strlen(UserAgent))")
    assert rows == [[70]]


def test_an_exception_is_a_wrapper_whose_stack_has_the_cause(managed: tuple[Endpoint, Asking]) -> None:
    """Type and message are the server's; the script's error and frame stand in the raw stack; ids in a Python repr."""
    endpoint, asking = managed
    rows = asking.rows("exceptions | project type, message, tostring(details[0].rawStack), customDimensions")
    assert len(rows) == endpoint.stats()["by_status"]["424"]
    kind, message, stack, dimensions = rows[0]
    assert kind == "UserScriptException"
    assert "ValueError" not in message
    assert re.search(r'File "/var/azureml-app/score.py", line \d+, in run\n.*\nValueError: ', stack)
    assert re.fullmatch(r"\{'Container Id': .*'Request Id': '[^']+'.*\}", json.loads(dimensions)["custom_dimensions"])


def test_the_console_has_the_lines_of_the_server(managed: tuple[Endpoint, Asking]) -> None:
    """Each scored request has one line with its code, in the container of its instance."""
    rows = managed[1].rows(
        "AmlOnlineEndpointConsoleLog | where Message matches regex 'azmlinfsrv - POST /score [0-9]+ '"
        " | summarize count() by InstanceId, DeploymentName"
    )
    assert rows == [["local-blue-0", "blue", 40]]


def test_a_cold_start_shows_in_the_events(told: Told) -> None:
    """The container starts, and fails its readiness probe while the model loads."""
    _, asking = told("--hosting", "managed", "--cold-start", "100ms", "--instances", "2")
    asking.count_once("AmlOnlineEndpointEventLog | count", 8)
    rows = asking.rows("AmlOnlineEndpointEventLog | summarize count() by Name")
    assert dict(rows) == {"Pulled": 2, "Created": 2, "Started": 2, "ReadinessProbeFailed": 2}


def test_without_a_diagnostic_setting_there_is_no_traffic_log(told: Told) -> None:
    """On aks the table does not exist; naming it is a semantic error with its place."""
    _, asking = told("--hosting", "aks")
    status, document = asking.query_raw("AmlOnlineEndpointTrafficLog | count")
    inner = document["error"]["innererror"]["innererror"]
    assert (status, inner["code"], inner["line"], inner["pos"]) == (400, "SEM0100", 1, 1)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("opencensus", ["0", "True", "", "500"]),
        ("legacy", ["500", "False", "/score", ""]),
    ],
)
def test_each_generation_has_its_own_lie(told: Told, kind: str, expected: list[str]) -> None:
    """0.5 to 1.4 say 0 and success without a name, but the true duration; 0.4 said the truth in the columns."""
    endpoint, asking = told("--hosting", "aks", "--error-ratio", "100%", "--telemetry-format", kind)
    endpoint.score()
    asking.count_once("requests | count", 1)
    rows = asking.rows(f"requests | project resultCode, success, name, {CODE}, duration")
    assert rows[0][:4] == expected
    assert rows[0][4] > 0


def test_the_files_lead_to_the_telemetry_and_go_with_the_endpoint(serve: Serve) -> None:
    """Ready file and redline.toml name the same ids; every file has mode 0600 and is gone after the end."""
    endpoint = serve("--hosting", "managed")
    ready, folder = endpoint.ready, endpoint.ready_path.parent
    config = tomllib.loads(Path(ready["config"]).read_text())["endpoints"]["local"]
    same = ("workspace_id", "logs_url", "metrics_url", "app_insights_id", "ca_file")
    assert {name: config[name] for name in same} == {name: ready[name] for name in same}
    assert config["arm_id"] == ready["resource_id"]
    assert ready["connection_string"].endswith(f";IngestionEndpoint={ready['ingestion_url']}")
    assert len(Path(config["azure_token_file"]).read_text().strip()) >= 32
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    child = _children(endpoint.process.pid)
    endpoint.stop()
    assert list(folder.iterdir()) == []
    assert child
    assert all(not Path(f"/proc/{pid}").exists() for pid in child)


def _children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_the_telemetry_process_ends_when_the_endpoint_is_killed(serve: Serve) -> None:
    """Nothing listens on after an endpoint that could not clean up."""
    endpoint = serve("--hosting", "aks")
    (child,) = _children(endpoint.process.pid)
    endpoint.process.kill()
    endpoint.process.wait()
    assert any(_has_ended(child) for _ in range(1_000_000))
    for path in endpoint.ready_path.parent.iterdir():
        path.unlink()


def test_an_endpoint_outlives_its_telemetry_process(serve: Serve) -> None:
    """It goes on scoring, and its closing lines count the records that nobody took."""
    endpoint = serve("--hosting", "aks", "--service-time", "1ms")
    (child,) = _children(endpoint.process.pid)
    os.kill(child, signal.SIGKILL)
    while not _has_ended(child):
        pass
    assert [endpoint.score().status for _ in range(3)] == [200, 200, 200]
    code, said = endpoint.stop()
    assert code == 0
    assert re.search(r"telemetry of \d+ records was dropped", said)


def _has_ended(pid: int) -> bool:
    """It has ended, whether or not its parent knows."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_without_telemetry_nothing_is_promised(serve: Serve) -> None:
    """`--no-telemetry` starts no process and leaves its keys out; `local` has no id to ask for logs with."""
    endpoint = serve("--hosting", "aks", "--no-telemetry")
    assert _children(endpoint.process.pid) == []
    assert {"logs_url", "metrics_url", "ingestion_url", "workspace_id"} & set(endpoint.ready) == set()
    config = tomllib.loads(Path(endpoint.ready["config"]).read_text())["endpoints"]
    assert {"arm_id", "workspace_id"} & set(config["local"]) == set()
    assert "arm_id" in config["local-token"]


def test_a_machine_without_the_extra_serves_and_says_what_is_missing(serve: Serve, tmp_path: Path) -> None:
    """Where a package cannot be found the endpoint serves without telemetry."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, package=None: None if name == 'duckdb_kql' else find(name, package)\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    endpoint = serve("--hosting", "aci", environment={"PYTHONPATH": path})
    assert endpoint.score().status == 200
    assert "logs_url" not in endpoint.ready


def test_a_machine_without_the_authority_serves_without_identity(serve: Serve, tmp_path: Path) -> None:
    """Without trustme there is neither telemetry nor identity, and one way in."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, package=None: None if name == 'trustme' else find(name, package)\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    endpoint = serve("--hosting", "managed", environment={"PYTHONPATH": path})
    assert endpoint.score().status == 200
    assert set(endpoint.ready) == {"scoring_uri", "key", "pid", "config"}


def test_the_counts_stay_right_when_only_a_share_is_kept(told: Told) -> None:
    """With half of the rows kept, itemCount stands for two, and a request is kept with its exception or not at all."""
    endpoint, asking = told("--hosting", "aks", "--sampling", "50%", "--error-ratio", "100%")
    for _ in range(60):
        endpoint.score()
    kept = asking.rows_settled("requests | count")[0][0]
    assert 0 < kept < 60
    assert asking.rows("requests | summarize count(), sum(itemCount)") == [[kept, 2 * kept]]
    rid = "extract(\"'Request Id': '([^']+)'\", 1, tostring(customDimensions.custom_dimensions))"
    lonely = (
        f"exceptions | extend rid = {rid}"
        " | join kind=leftanti (requests | extend rid = tostring(customDimensions['Request Id'])) on rid | count"
    )
    assert asking.rows(lonely) == [[0]]
    assert asking.rows("exceptions | count") == [[kept]]


def test_more_items_than_the_limit_are_refused(told: Told) -> None:
    """With one item per second a post of two is a 429, and nothing of it is stored."""
    _, asking = told("--hosting", "aks", "--ingestion-limit", "1", "--telemetry-format", "legacy")
    item = {
        "iKey": asking.instrumentation_key,
        "time": "2026-01-01T00:00:00Z",
        "data": {"baseType": "EventData", "baseData": {"name": "x"}},
    }
    status, _ = asking.send(json.dumps([item, item]).encode())
    assert status == 429
    assert asking.rows("customEvents | count") == [[0]]
