"""Start, files, stop: what the process leaves and what it says."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from localazure.options import OptionError, parse, unused

ROOT = Path(__file__).parents[2]


def test_the_ready_file_its_key_and_its_config_are_for_the_owner_only(serve):
    """Mode 0600 each; the config names the endpoint `local` and its key file, and not the key."""
    flags = ("--instances", "3", "--max-concurrent", "2", "--request-timeout", "1500ms", "--no-telemetry")
    endpoint = serve("--hosting", "aks", *flags)
    config_path = Path(endpoint.ready["config"])
    config = tomllib.loads(config_path.read_text())["endpoints"]["local"]
    key_path = Path(config["key_file"])
    assert "data" in tomllib.loads(Path(config["scenario"]).read_text())["payload"]["inline"]
    for path in (endpoint.ready_path, config_path, key_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert endpoint.ready["pid"] == endpoint.process.pid
    assert key_path.read_text().strip() == endpoint.ready["key"]
    assert endpoint.ready["key"] not in config_path.read_text()
    assert config == {
        "scoring_uri": endpoint.ready["scoring_uri"],
        "hosting": "aks",
        "auth": "key",
        "key_file": str(key_path),
        "scenario": config["scenario"],
        "instances": 3,
        "max_concurrent": 2,
        "request_timeout": "1500ms",
    }


def test_sigterm_removes_the_files_and_tells_the_counts(serve):
    """Exit code 0, an empty folder, and how many answers of each status there were."""
    endpoint = serve("--hosting", "local", "--service-time", "1ms")
    endpoint.score()
    code, said = endpoint.stop()
    assert code == 0
    assert list(endpoint.ready_path.parent.iterdir()) == []
    assert "answered 1 scoring requests (200: 1)" in said


def test_a_request_in_flight_at_sigterm_is_still_answered(serve):
    """Work that fits into the second of draining is finished, and its connection closed."""
    endpoint = serve("--hosting", "aks", "--service-time", "800ms")
    pending = endpoint.send()
    endpoint.until_in_flight(1)
    endpoint.process.terminate()
    reply = endpoint.read(pending)
    assert (reply.status, reply.headers["connection"]) == (200, "close")


def test_the_server_stops_by_itself():
    """--for 100ms ends with code 0, without a ready file, and leaves no temporary folder behind."""
    command = [sys.executable, "-m", "localazure", "--hosting", "aks", "--for", "100ms"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, "")
    key_file = Path(done.stderr.partition("$(cat '")[2].partition("'")[0])
    assert not key_file.parent.exists()


def test_the_server_stops_with_its_parent():
    """A shell starts it and ends: the reader of its pipe sees the end of the file."""
    script = f"{sys.executable} -m localazure --stop-with-parent --for 5m & read line"
    shell = subprocess.Popen(["sh", "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert shell.stderr is not None
    assert shell.stderr.readline().startswith("scoring URI")
    _, said = shell.communicate("\n", timeout=30)
    assert "answered 0 scoring requests" in said


def run_main(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "localazure", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)


def test_a_taken_port_is_one_line_and_a_hint():
    """Exit code 2, what cannot be had, and what to type."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run_main("--port", str(port))
    assert done.returncode == 2
    assert done.stderr == f"error: port {port} on 127.0.0.1 cannot be had: Address already in use\n\nhint: --port 0\n"


def test_an_empty_key_variable_is_refused(monkeypatch):
    """--key-env of a variable without a value: exit code 2, and the name but no value is told."""
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    done = run_main("--key-env", "NO_SUCH_KEY")
    assert done.returncode == 2
    assert done.stderr.startswith("error: the environment variable NO_SUCH_KEY has no key\n")


def test_a_ready_file_in_a_folder_that_does_not_exist_is_refused(tmp_path):
    """Exit code 2 and the folder to make."""
    done = run_main("--ready-file", str(tmp_path / "missing" / "ready.json"))
    assert done.returncode == 2
    assert f"hint: mkdir -p {tmp_path / 'missing'}" in done.stderr


def test_a_client_certificate_that_cannot_be_read_is_refused(tmp_path):
    """Exit code 2, whether there is no file or no certificate in it."""
    path = tmp_path / "client.pem"
    path.write_text("rubbish")
    for given in (path, tmp_path / "missing.pem"):
        done = run_main("--no-telemetry", "--client-certificate", str(given))
        assert (done.returncode, done.stderr.splitlines()[0]) == (
            2,
            f"error: {given} is no certificate in PEM that can be read",
        )


def test_the_deployment_has_as_many_workers_as_it_takes_requests_unless_told_otherwise():
    """WORKER_COUNT follows --max-concurrent; --worker-count makes the contradiction."""
    assert parse(["--max-concurrent", "3"], "redline serve").control.worker_count == 3
    assert parse(["--max-concurrent", "3", "--worker-count", "1"], "redline serve").control.worker_count == 1


def test_help_shows_an_example_under_the_callers_name(capsys):
    """`redline serve --help` speaks of redline serve."""
    with pytest.raises(SystemExit) as ended:
        parse(["--help"], "redline serve")
    assert ended.value.code == 0
    assert "redline serve --hosting aks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--service-time", "20"], "argument --service-time: '20' is not a duration such as 20ms, 1.5s or 10m"),
        (["--instances", "0"], "argument --instances: '0' is not a whole number from 1 to 100000"),
        (["--for", "0s"], "argument --for: '0s' is not longer than nothing"),
        (["--error-ratio", "1.5"], "argument --error-ratio: '1.5' is not a ratio such as 0.01 or 1%"),
        (["--error-ratio", "60%", "--crash-ratio", "60%"], "the fault ratios add up to 1.2, more than every request"),
        (["--stall-every", "1s", "--stall-for", "1s"], "--stall-for is not shorter than --stall-every"),
        (["--cold-slowdown", "5"], "--cold-slowdown without --cold-start has no duration"),
        (["--reload"], "--reload without --entry-script has nothing to run"),
        (
            ["--entry-script", "score.py"],
            "--entry-script needs --server-python, the Python that has azureml-inference-server-http",
        ),
        (["--port", "70000"], "argument --port: '70000' is not a port from 0 to 65535"),
        (["--name", "a b"], "argument --name: 'a b' is not a name of letters, digits and dashes, at most 32"),
        (["--unknown"], "unrecognized arguments: --unknown"),
    ],
)
def test_each_mistake_of_the_command_line_is_told_in_one_line(flags, message):
    """The flag, the value seen and what is allowed; a hint goes with it."""
    with pytest.raises(OptionError) as raised:
        parse(flags, "redline serve")
    assert raised.value.message == message
    assert raised.value.hint


@pytest.mark.parametrize(
    ("hosting", "places"), [("aks", 8), ("kubernetes", 8), ("managed", 16), ("aci", None), ("local", None)]
)
def test_the_admitted_number_is_that_of_the_hosting(hosting, places):
    """4 instances of 2: M·I, twice that on managed, no bound without a router."""
    options = parse(["--hosting", hosting, "--instances", "4", "--max-concurrent", "2"], "redline serve")
    assert options.admitted_count == places


def test_a_flag_that_changes_nothing_under_the_hosting_is_told():
    """--queue-wait on managed is accepted, as Azure's deprecated setting is, and named in a note."""
    options = parse(["--hosting", "managed", "--queue-wait", "500ms"], "redline serve")
    assert unused(options) == ["--queue-wait changes nothing on managed"]
    assert unused(parse(["--hosting", "aks", "--queue-wait", "500ms"], "redline serve")) == []
