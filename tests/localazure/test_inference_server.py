"""Microsoft's inference server behind the front end: unhandled exceptions, crashes, reload.

Needs a Python with azureml-inference-server-http: REDLINE_AZUREML_PYTHON, or `make azureml-server`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from localazure.inference_server import why_it_ended
from localazure.upstream import parse_answer

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("REDLINE_AZUREML_PYTHON") or str(ROOT / ".venv-azureml" / "bin" / "python")
needs_the_server = pytest.mark.skipif(
    not Path(PYTHON).exists(), reason="azureml-inference-server-http is not installed; make azureml-server"
)
SCRIPT = """
import json
import os

def init():
    global factor
    factor = {factor}

def run(raw):
    data = json.loads(raw)
    if data == "crash":
        os._exit(1)
    print("scoring")
    return {{"result": [factor * value for value in data["data"]], "key": os.environ.get("SCORING_KEY")}}
"""


def script_in(folder: Path, factor: int = 2) -> Path:
    path = folder / "score.py"
    path.write_text(SCRIPT.format(factor=factor))
    return path


def flags_for(path: Path, hosting: str) -> tuple[str, ...]:
    return ("--hosting", hosting, "--entry-script", str(path), "--server-python", PYTHON, "--request-timeout", "60s")


def said(endpoint, words: str) -> str:
    """The next line on stderr that has these words."""
    return next(line for line in endpoint.process.stderr if words in line)


@pytest.fixture(scope="module")
def managed(serve, tmp_path_factory):
    """A managed endpoint with the script, its log beside it, reloading."""
    folder = tmp_path_factory.mktemp("script")
    log = str(folder / "service.log")
    endpoint = serve(
        *flags_for(script_in(folder), "managed"),
        *("--reload", "--log-file", log, "--key-env", "SCORING_KEY", "--max-concurrent", "2"),
        environment={"SCORING_KEY": "planted-key"},
    )
    endpoint.folder = folder
    return endpoint


@needs_the_server
def test_the_script_is_scored_by_the_real_server_and_never_sees_the_key(managed):
    """The answer is the script's, with its server's headers; the key is not in its environment."""
    reply = managed.score(b'{"data": [1, 2]}', x_ms_client_request_id="abc")
    assert (reply.status, reply.json) == (200, {"result": [2, 4], "key": None})
    assert reply.headers["x-ms-server-version"].startswith("azmlinfsrv/")
    assert float(reply.headers["x-ms-run-fn-exec-ms"]) >= 0
    assert reply.headers["x-ms-client-request-id"] == "abc"
    assert reply.headers["azureml-model-deployment"] == "blue"


@needs_the_server
def test_an_unhandled_exception_on_managed_is_424_with_the_real_status(managed):
    """The container's 500 stands in the statuscode header; its message stays in the body."""
    reply = managed.score(b"not json")
    assert reply.status == 424
    assert reply.headers["ms-azureml-model-error-statuscode"] == "500"
    assert reply.headers["x-ms-run-function-failed"] == "True"
    assert b"An unexpected error occurred in scoring script" in reply.body


@needs_the_server
def test_a_dead_worker_on_managed_is_424_and_the_next_request_is_answered(managed):
    """The connection closed without an answer: no status of the model; gunicorn starts another worker."""
    crashed = managed.score(b'"crash"')
    assert (crashed.status, crashed.headers["ms-azureml-model-error-statuscode"]) == (424, "")
    assert managed.score(b'{"data": [1]}').status == 200


@needs_the_server
def test_the_servers_own_lines_are_in_the_log(managed):
    """The request line and the script's print, written by the real server."""
    managed.score(b'{"data": [1]}')
    log = (managed.folder / "service.log").read_text()
    assert " azmlinfsrv - POST /score 200 " in log
    assert " azmlinfsrv.print - scoring" in log
    assert "planted-key" not in log


@needs_the_server
def test_an_edited_script_answers_after_the_reload_without_a_failed_request(managed):
    """Edit the factor and score until it counts: the old script answers until the new one does."""
    script_in(managed.folder, factor=7)
    results = [0]
    while results[-1] != 7:
        reply = managed.score(b'{"data": [1]}')
        assert reply.status == 200
        results.append(reply.json["result"][0])
    assert set(results) <= {0, 2, 7}
    assert "running anew" in said(managed, "score.py has changed")
    assert managed.score(b'{"data": [1]}').json["result"] == [7]


@needs_the_server
def test_a_script_that_no_longer_loads_leaves_the_running_one_in_place(managed):
    """What it raised is said on stderr, and requests are answered as before."""
    before = managed.score(b'{"data": [1]}').json["result"]
    (managed.folder / "score.py").write_text("import no_such_module\n")
    assert "ModuleNotFoundError: No module named 'no_such_module'" in said(managed, "does not load")
    assert managed.score(b'{"data": [1]}').json["result"] == before


@needs_the_server
def test_aks_passes_the_500_through_and_turns_a_dead_worker_into_502(serve, tmp_path):
    """The v1 router does not rewrite a model's status; it only speaks when there is none."""
    endpoint = serve(*flags_for(script_in(tmp_path), "aks"))
    failed, crashed = endpoint.score(b"not json"), endpoint.score(b'"crash"')
    assert (failed.status, "message" in failed.json) == (500, True)
    assert (crashed.status, crashed.body) == (502, b"Replica closed connection before replying")


@needs_the_server
def test_the_server_listens_on_loopback_only_and_ends_with_its_front_end(serve, tmp_path):
    """No child is left when the front end has ended, and none ever listened on another address."""
    endpoint = serve(*flags_for(script_in(tmp_path), "local"))
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    children = [line for line in listening.splitlines() if "gunicorn" in line or "python" in line]
    assert not any("0.0.0.0:" in line.split()[3] for line in children)
    started = Path(f"/proc/{endpoint.process.pid}/task/{endpoint.process.pid}/children").read_text().split()
    assert started
    assert endpoint.stop()[0] == 0
    assert [child for child in started if Path(f"/proc/{child}").exists()] == []


@needs_the_server
def test_a_script_that_raises_at_load_is_told_in_one_line(tmp_path):
    """Without --reload the endpoint does not start: exit code 2 and the script's own exception."""
    path = tmp_path / "score.py"
    path.write_text("raise ValueError('no model here')\n")
    command = [sys.executable, "-m", "localazure", *flags_for(path, "local"), "--for", "60s"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        "error: the inference server does not run the script: ValueError: no model here"
    )


def test_a_server_python_that_does_not_exist_is_refused(tmp_path):
    """Exit code 2 and the command that makes one."""
    flags = ["--entry-script", str(script_in(tmp_path)), "--server-python", str(tmp_path / "python")]
    command = [sys.executable, "-m", "localazure", *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "hint: make azureml-server" in done.stderr


def test_an_exception_while_scoring_is_not_why_a_server_ended():
    """The running server's tracebacks stand in the same log; the first one of a load counts."""
    log = (
        "… E [1] azmlinfsrv - Encountered Exception: Traceback (most recent call last):\n  File\nKeyError: 'data'\n"
        "… E [2] azmlinfsrv - Traceback (most recent call last):\n  File\nImportError: no numpy\n\nThe above exception"
    )
    assert why_it_ended(log) == "ImportError: no numpy"


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1"])
def test_a_cut_answer_is_no_answer(received):
    """An answer that ends before its head or its length is an EOFError, which the front end calls a crash."""
    with pytest.raises(EOFError):
        parse_answer(received)


def test_a_whole_answer_is_its_status_headers_and_body():
    """Header names are lower-case."""
    status, headers, body = parse_answer(b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n{}")
    assert (status, headers, json.loads(body)) == (200, {"x-a": "b"}, {})
