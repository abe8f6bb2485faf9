"""What Microsoft's own inference server sends to the local endpoint, beside what its client saw."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localazure.asking import Asking
from tests.localazure.conftest import ROOT, Endpoint, Serve

PYTHON = ROOT / ".venv-azureml" / "bin" / "python"
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="make azureml-server sets up the inference server")

SCRIPT = """
import json
from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

def init():
    print("loaded")

@rawhttp
def run(request):
    mode = json.loads(request.get_data())["mode"]
    print("mode", mode)
    if mode == "raise":
        raise ValueError("no such feature")
    return AMLResponse({"mode": mode}, int(mode))
"""
MODES = ("200",) * 5 + ("raise",) * 3 + ("400", "429", "503")
POST = "tostring(customDimensions['http_method']) == 'POST'"


@pytest.fixture(scope="module")
def scored(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Endpoint, Asking, Counter[str]]]:
    """A managed endpoint with the real server behind it, and the container's codes as the client was told them."""
    script = tmp_path_factory.mktemp("script") / "score.py"
    script.write_text(SCRIPT)
    endpoint = serve("--hosting", "managed", "--entry-script", str(script), "--server-python", str(PYTHON))
    codes: Counter[str] = Counter()
    for mode in MODES:
        reply = endpoint.score(json.dumps({"mode": mode}).encode())
        codes[reply.headers.get("ms-azureml-model-error-statuscode", "200")] += 1
    asking = Asking(endpoint.ready)
    asking.count_once(f"requests | where {POST} | count", len(MODES))
    yield endpoint, asking, codes
    asking.close()


def test_the_naive_query_shows_no_failure(scored: tuple[Endpoint, Asking, Counter[str]]) -> None:
    """The real server says result code 0 and success, whatever it answered."""
    rows = scored[1].rows(f"requests | where {POST} | summarize sum(itemCount) by resultCode, success")
    assert rows == [["0", "True", len(MODES)]]


def test_the_dimensions_tell_what_the_client_saw(scored: tuple[Endpoint, Asking, Counter[str]]) -> None:
    """Codes in the dimensions, in the traffic log and at the client are the same."""
    _, asking, codes = scored
    assert codes == {"200": 5, "500": 3, "400": 1, "429": 1, "503": 1}
    told = asking.rows(
        f"requests | where {POST} | summarize sum(itemCount) by code = tostring(customDimensions['resultCode'])"
    )
    traffic = asking.rows("AmlOnlineEndpointTrafficLog | summarize count() by code = tostring(ModelStatusCode)")
    assert dict(told) == dict(traffic) == codes


def test_prints_exceptions_and_console_lines_arrive(scored: tuple[Endpoint, Asking, Counter[str]]) -> None:
    """Each print is a trace and a line of the console; each exception is a wrapper with its cause in the stack."""
    _, asking, _ = scored
    assert asking.count_once("traces | where message startswith 'mode' | count", len(MODES)) == len(MODES)
    caused = "tostring(details[0].rawStack) has 'ValueError: no such feature'"
    causes = asking.rows(f"exceptions | where {caused} | summarize count() by type")
    assert causes == [["UserScriptException", 3]]
    lines = asking.rows("AmlOnlineEndpointConsoleLog | where Message matches regex 'print - mode ' | count")
    assert lines == [[len(MODES)]]


def test_the_container_is_named_in_every_source(scored: tuple[Endpoint, Asking, Counter[str]]) -> None:
    """Telemetry, console and events name the same instance."""
    _, asking, _ = scored
    container = asking.rows(f"requests | where {POST} | summarize by tostring(customDimensions['Container Id'])")
    console = asking.rows("AmlOnlineEndpointConsoleLog | summarize by InstanceId")
    events = asking.rows("AmlOnlineEndpointEventLog | summarize by InstanceId")
    assert container == console == events == [["local-blue-0"]]


def test_a_server_that_ends_shows_in_the_events(serve: Serve, tmp_path: Path) -> None:
    """Its probe fails, it is killed, and a container starts anew."""
    script = tmp_path / "score.py"
    script.write_text("import os\ndef init(): pass\ndef run(data): os._exit(3)\n")
    endpoint = serve("--hosting", "managed", "--entry-script", str(script), "--server-python", str(PYTHON))
    asking = Asking(endpoint.ready)
    endpoint.score()
    asking.count_once("AmlOnlineEndpointEventLog | where Name == 'Started' | count", 2)
    rows = asking.rows("AmlOnlineEndpointEventLog | summarize count() by Name")
    asking.close()
    assert dict(rows) == {"Pulled": 2, "Created": 2, "Started": 2, "LivenessProbeFailed": 1, "Killing": 1}
