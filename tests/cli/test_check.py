"""`redline check`: against the local endpoint and servers that misbehave, as a pipeline would run it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from tests.cli.schemas import faults
from tests.cli.serving import Served, serving
from tests.cli.terminal import KEY, ROOT, Told, redline, scoring_server
from tests.scoring.fault_server import good, request_of, silent
from tests.scoring.fault_server import serving as misbehaving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An endpoint with a key that answers well."""
    flags = ("--hosting", "aks", "--max-concurrent", "4", "--service-time", "1ms", "--no-telemetry")
    with serving(tmp_path_factory.mktemp("served"), *flags) as endpoint:
        yield endpoint


def endpoint_toml(uri: str, *lines: str, name: str = "one") -> str:
    return "\n".join([f"[endpoints.{name}]", f'scoring_uri = "{uri}"', *lines, ""])


def well_toml(served: Served, *lines: str, name: str = "well") -> str:
    key = f'key_file = "{served.folder / "ready.json.key"}"'
    return endpoint_toml(served.ready["scoring_uri"], key, *lines, name=name)


def check(folder: Path, toml: str, *flags: str, **environ: str) -> Told:
    (folder / "redline.toml").write_text(toml)
    return redline(folder, "check", *flags, **environ)


def only(told: Told) -> dict[str, Any]:
    """The one endpoint of a `--json` answer."""
    (endpoint,) = told.json["endpoints"]
    return dict(endpoint)


def test_a_well_endpoint_is_ok_and_exits_0(served: Served, tmp_path: Path) -> None:
    """Every key and phase of the contract stands in the document, and requests without a key are refused."""
    told = check(tmp_path, well_toml(served), "--json")
    assert told.code == 0
    assert faults("check", told.json) == []
    endpoint = only(told)
    assert (endpoint["name"], endpoint["state"], endpoint["reason"]) == ("well", "OK", "ok")
    assert [(one["id"], one["outcome"]) for one in endpoint["checks"]] == [
        ("answer", "OK"),
        ("no_key", "OK"),
        ("wrong_key", "OK"),
    ]
    assert set(endpoint["checks"][0]["phases_ms"]) == {"dns", "connect", "wait", "transfer", "total"}


def test_a_server_error_is_failed_with_its_status_as_reason_and_exits_1(tmp_path: Path) -> None:
    """What the endpoint does wrong is the endpoint's fault, and the exit code says so."""
    with scoring_server(status=500) as scoring:
        told = check(tmp_path, endpoint_toml(scoring.uri), "--json")
    assert (told.code, only(told)["state"], only(told)["reason"]) == (1, "FAILED", "status_500")


def test_a_closed_port_is_failed_and_exits_4(tmp_path: Path) -> None:
    """Nobody got in, so the exit code is the one for network and auth."""
    with misbehaving(silent) as port:
        uri = f"http://127.0.0.1:{port}/score"
    told = check(tmp_path, endpoint_toml(uri), "--json")
    assert (told.code, only(told)["state"], only(told)["reason"]) == (4, "FAILED", "connect_refused")


def test_a_wrong_key_exits_4(served: Served, tmp_path: Path) -> None:
    """The endpoint answers 401 to the key that is configured; the requests that must be refused are not sent."""
    toml = endpoint_toml(served.ready["scoring_uri"], 'key_env = "SCORING_KEY"')
    told = check(tmp_path, toml, "--json")
    assert (told.code, only(told)["reason"]) == (4, "status_401")
    assert [(one["id"], one["outcome"]) for one in only(told)["checks"][1:]] == [
        ("no_key", "UNKNOWN"),
        ("wrong_key", "UNKNOWN"),
    ]


def test_a_missing_key_is_unknown_never_ok_and_exits_4(tmp_path: Path) -> None:
    """Without a credential nothing is sent, so nothing is known."""
    with scoring_server() as scoring:
        told = check(tmp_path, endpoint_toml(scoring.uri, 'key_env = "NOT_SET_ANYWHERE"'), "--json")
        assert scoring.count == 0
    assert (told.code, only(told)["state"], only(told)["reason"]) == (4, "UNKNOWN", "auth_failed")


def test_an_endpoint_that_takes_any_key_is_failed(tmp_path: Path) -> None:
    """An endpoint that should want a key and answers without one is open to the world."""
    with scoring_server() as scoring:
        told = check(tmp_path, endpoint_toml(scoring.uri, 'key_env = "SCORING_KEY"'), "--json")
    assert (told.code, only(told)["state"], only(told)["reason"]) == (1, "FAILED", "open_without_key")


def test_a_rejection_is_asked_about_once_more(tmp_path: Path) -> None:
    """A single 503 may be a moment; the second one is told."""
    with scoring_server(status=503) as scoring:
        told = check(tmp_path, endpoint_toml(scoring.uri), "--json")
        assert scoring.count == 2
    assert (told.code, only(told)["reason"]) == (1, "status_503")


@pytest.mark.parametrize(
    ("checks", "state", "reason"),
    [
        pytest.param('latency = "1ns"', "DEGRADED", "slow", id="slower than the bound is degraded"),
        pytest.param('latency_failed = "1ns"', "FAILED", "too_slow", id="slower than the second bound is failed"),
        pytest.param("max_body_bytes = 2", "DEGRADED", "body_large", id="a body above the bound is degraded"),
        pytest.param('latency = "30s"', "OK", "ok", id="within the bound is ok"),
    ],
)
def test_a_bound_of_the_file_is_held_against_the_answer(
    served: Served, tmp_path: Path, checks: str, state: str, reason: str
) -> None:
    """Latency and size are checks of their own, with their own reasons."""
    told = check(tmp_path, well_toml(served, f"checks = {{ {checks} }}"), "--json")
    assert (told.code, only(told)["state"], only(told)["reason"]) == (int(state != "OK"), state, reason)


@pytest.mark.parametrize(
    ("golden", "reason"), [("[1.8333333]", "ok"), ("[1.84]", "golden_mismatch")], ids=["within", "outside"]
)
def test_the_golden_answer_is_held_with_its_tolerance(served: Served, tmp_path: Path, golden: str, reason: str) -> None:
    """The model answers 1/1 + 1/2 + 1/3 to a row of ones."""
    (tmp_path / "ones.jsonl").write_text(f'{{"payload": {{"data": [[1, 1, 1]]}}, "golden": {{"result": {golden}}}}}\n')
    (tmp_path / "ones.toml").write_text('[payload]\npath = "ones.jsonl"\n[expect]\ntolerance = 1e-5\n')
    told = check(tmp_path, well_toml(served, 'scenario = "ones.toml"'), "--json")
    assert only(told)["reason"] == reason


def test_an_endpoint_that_waits_delays_no_other(tmp_path: Path) -> None:
    """Twelve endpoints that answer only once the last one of the file has been asked are all well."""
    with scoring_server(enough=1) as last:

        def waiting(taken: socket.socket) -> None:
            request_of(taken)
            if last.asked.wait(20):
                taken.sendall(good())

        with misbehaving(waiting) as port:
            first = [endpoint_toml(f"http://127.0.0.1:{port}/score", name=f"waits-{place}") for place in range(12)]
            told = check(tmp_path, "".join([*first, endpoint_toml(last.uri, name="last")]), "--json")
    assert {one["state"] for one in told.json["endpoints"]} == {"OK"}


def test_an_endpoint_that_hangs_is_told_at_its_deadline(served: Served, tmp_path: Path) -> None:
    """The deadline of the table ends the wait, and the requests that must be refused are not sent."""
    with misbehaving(silent) as port:
        hung = endpoint_toml(f"http://127.0.0.1:{port}/score", 'key_env = "SCORING_KEY"', 'checks = {deadline="300ms"}')
        told = check(tmp_path, hung, "--json")
    assert (told.code, only(told)["reason"]) == (1, "deadline_exceeded")
    assert [one["outcome"] for one in only(told)["checks"]] == ["FAILED", "UNKNOWN", "UNKNOWN"]


def test_endpoints_are_named_or_all_of_them_are_checked(served: Served, tmp_path: Path) -> None:
    """`enabled = false` leaves one out unless it is named."""
    toml = well_toml(served, name="a") + well_toml(served, "checks = { enabled = false }", name="b")
    assert [one["name"] for one in check(tmp_path, toml, "--json").json["endpoints"]] == ["a"]
    assert [one["name"] for one in check(tmp_path, toml, "b", "a", "--json").json["endpoints"]] == ["b", "a"]
    unknown = check(tmp_path, toml, "c")
    assert (unknown.code, unknown.out) == (2, "")
    assert "has no endpoint `c`" in unknown.err


def test_a_url_with_flags_needs_no_file(served: Served, tmp_path: Path) -> None:
    """`--url` replaces the name."""
    key_file = str(served.folder / "ready.json.key")
    told = redline(tmp_path, "check", "--url", served.ready["scoring_uri"], "--key-file", key_file, "--json")
    assert (told.code, only(told)["name"]) == (0, "127.0.0.1")


def test_the_text_names_reason_evidence_and_next_step(tmp_path: Path) -> None:
    """What is not well stands first, and stdout holds no secret."""
    with scoring_server(status=404) as scoring:
        told = check(tmp_path, endpoint_toml(scoring.uri, 'key_env = "SCORING_KEY"'))
    assert told.out.startswith("FAILED  1 endpoint checked: 1 FAILED\n\nFAILED  one: status_404\n")
    assert "next: compare the path with the scoring URI Azure shows" in " ".join(told.out.split())
    assert KEY not in told.out + told.err


def test_junit_has_a_case_for_every_check(served: Served, tmp_path: Path) -> None:
    """A failed check is a failure, an unknown one an error, as test reports show them."""
    toml = well_toml(served) + endpoint_toml("http://127.0.0.1:9/score", 'key_env = "NOT_SET_ANYWHERE"', name="bad")
    told = check(tmp_path, toml, "--junit", "out/checks.xml")
    (suite,) = JUnitXml.fromfile(str(tmp_path / "out" / "checks.xml"))
    assert told.code == 4
    assert [(case.name, [type(one).__name__ for one in case.result]) for case in suite] == [
        ("well: answer", []),
        ("well: no_key", []),
        ("well: wrong_key", []),
        ("bad: answer", ["Error"]),
    ]


def test_github_gets_a_summary_and_annotations(tmp_path: Path) -> None:
    """Annotations go to stderr, so that stdout stays data; foreign text in them is one line."""
    with scoring_server(body=b'{"error": "::error::x\\n::set-output name=a::b"}') as scoring:
        summary = tmp_path / "summary.md"
        told = check(
            tmp_path, endpoint_toml(scoring.uri), "--json", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary)
        )
    commands = [line for line in told.err.splitlines() if line.startswith("::")]
    assert len(commands) == 1
    assert commands[0].startswith("::error title=one is FAILED::error_in_body: ")
    assert json.loads(told.out)["endpoints"][0]["reason"] == "error_in_body"
    assert "| one | FAILED | error_in_body | – |" in summary.read_text()
    assert "::error::" not in summary.read_text()


def test_every_mistake_of_the_checks_table_is_told_at_once(tmp_path: Path) -> None:
    """File, line, the value seen and what is allowed, for all tables together."""
    toml = endpoint_toml("http://127.0.0.1:9/score") + (
        '[endpoints.one.checks]\nevery = "soon"\nslo = "100%"\nevry = 1\ndepends_on = ["two"]\n'
        '[alerts]\nremind = "1ms"\n[maintenance.night]\ncron = "0 2 * *"\nfor = "2h"\n'
    )
    told = check(tmp_path, toml)
    assert told.code == 2
    lines = told.err.splitlines()
    assert lines[0] == "error: redline.toml has 6 mistakes"
    assert [line.partition(": ")[0] for line in lines[1:7]] == [
        f"redline.toml:{number}" for number in (4, 5, 6, 7, 9, 11)
    ]
    assert lines[3] == "redline.toml:6: endpoints.one.checks.evry: unknown key; did you mean every"


def test_a_check_loads_no_heavy_library() -> None:
    """It starts as often as cron says, so it loads what it uses: no pandas, locust, azure, plots or colour."""
    program = (
        "import sys, cli\n"
        "sys.argv = ['redline', 'check', '--url', 'http://127.0.0.1:9/score']\n"
        "import atexit\n"
        "atexit.register(lambda: print('LOADED', *sorted({name.partition('.')[0] for name in sys.modules})))\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert done.returncode == 4
    assert loaded & {"pandas", "numpy", "scipy", "locust", "gevent", "azure", "matplotlib", "rich", "jinja2"} == set()
