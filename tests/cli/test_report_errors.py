"""`redline report errors` and `report latency` as a person meets them: mistakes, refusals, counts and exit codes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli import schemas
from tests.cli.serving import GOOD, Served, serving
from tests.cli.terminal import ROOT, Told, ended, redline, started

LOG = ROOT / "tests" / "data" / "logs" / "mixed-1.5.1" / "server.log"
NO_REPORT = '{"by_status": {"200": "many"}}'
MISTAKES = [
    ("report errors", "nothing to report on"),
    ("report latency", "nothing to report on"),
    ("report errors churn-prod", "redline.toml cannot be read"),
    ("report errors churn-prod --config one.toml", "no endpoint `churn-prod`"),
    ("report latency one --config one.toml", "neither workspace_id nor app_insights_id"),
    ("report errors --service-log good.log --since soon", "--since: `soon`"),
    ("report errors --service-log good.log --since 2999-01-01", "lies in the future"),
    ("report errors --service-log good.log --since 99999999d", "lies before"),
    ("report errors --service-log good.log --since 0001-01-01", "lies before"),
    ("report errors --service-log good.log --wait soon", "`soon` is not a duration"),
    ("report errors --service-log good.log --fail-over some", "`some` is not a ratio"),
    ("report errors --service-log good.log --fail-over 101%", "`101%` is not a ratio"),
    ("report errors --service-log good.log --baseline missing.json", "No such file"),
    ("report errors --service-log good.log --baseline good.log", "is no JSON"),
    ("report errors --service-log good.log --baseline deep.json", "is no JSON"),
    ("report errors --service-log good.log --baseline list.json", "is no report"),
    ("report latency --service-log good.log --baseline other.json", "is no report"),
    ("report errors --service-log missing.log", "no such file"),
    ("report errors --service-log folder", "is a directory"),
    ("report errors --service-log good.log --service-log missing.log", "no such file"),
    ("report errors --run missing", "no run folder missing"),
    ("report errors --run folder", "folder is not a run folder"),
    ("report errors --run rubbish", "is not a run.json of redline"),
    ("report errors --service-log good.log --out good.log", "cannot be written"),
    ("report errors --service-log good.log --out /proc/redline", "cannot be written"),
    ("report errors --service-log good.log --no-such-flag", "No such option"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with good and bad files."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copy(LOG, folder / "good.log")
    (folder / "one.toml").write_text('[endpoints.one]\nscoring_uri = "http://127.0.0.1:9/score"\nauth = "none"\n')
    (folder / "deep.json").write_text("[" * 200_000)
    (folder / "list.json").write_text("[1, 2]")
    (folder / "other.json").write_text(NO_REPORT)
    (folder / "folder").mkdir()
    (folder / "rubbish").mkdir()
    (folder / "rubbish" / "run.json").write_text('{"anchor": 3}')
    return folder


@pytest.mark.parametrize(("command", "words"), MISTAKES)
def test_a_mistake_is_one_line_and_a_hint(command: str, words: str, place: Path) -> None:
    """What is wrong and with which value, what to type next, and exit code 2; nothing on stdout."""
    told = redline(place, *command.split())
    assert told.code == 2, told.err
    error, _, hint = told.err.partition("\n\nhint: ")
    assert error.startswith("error: ")
    assert error.count("\n") == 0
    assert words in error
    assert hint.strip()
    assert "redline itself failed" not in error


@pytest.mark.parametrize("command", [("report", "errors"), ("report", "latency"), ("diagnose",), ("logs",)])
def test_the_help_of_each_command_has_an_example(command: tuple[str, ...], tmp_path: Path) -> None:
    """Something to type stands at the end of the help."""
    told = redline(tmp_path, *command, "--help")
    assert told.code == 0
    assert f"Example: redline {' '.join(command)}" in " ".join(told.out.split())


@pytest.mark.parametrize(
    ("name", "data"),
    [("empty", b""), ("binary", bytes(range(256)) * 20), ("utf16", "200 OK\n".encode("utf-16")), ("newlines", b"\n\n")],
)
def test_a_log_that_tells_nothing_is_a_report_without_numbers(name: str, data: bytes, tmp_path: Path) -> None:
    """No request, no zero in place of what is not known, and a source that says why."""
    (tmp_path / f"{name}.log").write_bytes(data)
    told = redline(tmp_path, "report", "errors", "--service-log", f"{name}.log", "--json")
    assert told.code in (0, 3), told.err
    assert schemas.faults("errors", told.json) == []
    assert (told.json["requests"], told.json["failed_ratio"], told.json["by_status"]) == (None, None, {})
    assert f"{name}.log" in json.dumps(told.json["sources"])


def test_a_log_comes_from_a_pipe_as_from_a_file(tmp_path: Path) -> None:
    """`-` is standard input; both ways the numbers are the same."""
    command = [sys.executable, "-m", "cli", "report", "errors", "--json", "--service-log"]
    piped = subprocess.run(
        [*command, "-"], cwd=ROOT, input=LOG.read_bytes(), capture_output=True, timeout=60, check=True
    )
    filed = redline(tmp_path, "report", "errors", "--json", "--service-log", str(LOG))
    told = json.loads(piped.stdout)
    assert told["by_status"] == filed.json["by_status"] != {}
    assert piped.stderr == b""


@pytest.mark.parametrize(("limit", "code"), [("100%", 0), ("0%", 1)])
def test_more_failures_than_allowed_exit_1(limit: str, code: int, tmp_path: Path) -> None:
    """`--fail-over` is the line between 0 and 1; the JSON is printed either way, and says the same."""
    told = redline(tmp_path, "report", "errors", "--service-log", str(LOG), "--fail-over", limit, "--json")
    assert told.code == code, told.err
    assert told.json["exit_code"] == code
    assert told.json["failed_ratio"] > 0
    assert told.err == ""


def test_an_earlier_report_is_compared_with(tmp_path: Path) -> None:
    """What `--out` wrote can be read back; against itself nothing is new and nothing gone."""
    first = redline(tmp_path, "report", "errors", "--service-log", str(LOG), "--out", "first", "--json")
    assert json.loads((tmp_path / "first" / "report.json").read_text()) == first.json
    again = redline(
        tmp_path, "report", "errors", "--service-log", str(LOG), "--baseline", "first/report.json", "--json"
    )
    assert schemas.faults("errors", again.json) == []
    assert again.json["change"]["new_groups"] == []
    assert again.json["change"]["gone_groups"] == []


def test_a_report_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    """Folder 0700, files 0600."""
    redline(tmp_path, "report", "errors", "--service-log", str(LOG), "--out", "deep/report")
    assert (tmp_path / "deep" / "report").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "deep" / "report").iterdir()} == {0o600}


def test_a_disk_that_takes_no_more_leaves_no_half_file(tmp_path: Path) -> None:
    """The text is printed, the error names the file, and nothing cut stands in the folder."""
    command = f"ulimit -f 8; exec {sys.executable} -m cli report errors --service-log {LOG} --out report"
    told = _shell(command, tmp_path)
    assert told.code == 2
    assert "cannot be written: File too large" in told.err
    assert all(path.stat().st_size < 8 * 1024 for path in (tmp_path / "report").iterdir())


@pytest.mark.parametrize(
    ("ending", "code", "words"),
    [("> /dev/full", 2, "stdout cannot be written"), (">&-", 0, ""), ("2>&-", 0, ""), ("| true", 0, "")],
)
def test_a_reader_that_is_gone_is_no_fault_of_redline(ending: str, code: int, words: str, tmp_path: Path) -> None:
    """A closed pipe or stream ends the output and nothing else; a full one is an error of one line."""
    told = _shell(f"{sys.executable} -m cli report errors --service-log {LOG} {ending}", tmp_path)
    assert told.code == code, told.err
    assert words in told.err
    assert "itself failed" not in told.err
    assert "Traceback" not in told.err
    assert "Exception ignored" not in told.err


def test_a_terminal_that_knows_ascii_only_gets_all_of_it(tmp_path: Path) -> None:
    """What its encoding lacks is escaped as JSON escapes it, so the document stays one."""
    arguments = ("report", "errors", "--service-log", str(LOG))
    plain = redline(tmp_path, *arguments, "--json")
    ascii_only = redline(tmp_path, *arguments, "--json", PYTHONIOENCODING="ascii")
    assert ascii_only.out.isascii()
    assert ascii_only.json["groups"] == plain.json["groups"]
    assert redline(tmp_path, *arguments, PYTHONIOENCODING="ascii").code == 0


def test_sixty_columns_are_enough(tmp_path: Path) -> None:
    """No line is wider than the terminal, but for one word that is."""
    told = redline(tmp_path, "report", "errors", "--service-log", str(LOG), COLUMNS="60")
    assert [line for line in told.out.splitlines() if len(line) > 60 and " " in line.strip()[:50]] == []
    assert "\x1b" not in told.out


def _shell(command: str, folder: Path) -> Told:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Told(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A managed endpoint with a run of two seconds in `run`, some of it failed."""
    folder = tmp_path_factory.mktemp("managed")
    flags = ("--hosting", "managed", "--max-concurrent", "2", "--service-time", "15ms", "--error-ratio", "20%")
    with serving(folder, *flags, "--log-file", str(folder / "service.log")) as served:
        told = served.load("--users", "6", "--for", "2s")
        assert told.code in (0, 1, 3), told.err
        yield served


def _report(served: Served, *arguments: str, kind: str = "errors") -> dict[str, Any]:
    told = redline(served.folder, "report", kind, *arguments, "--json")
    assert told.code == 0, told.err
    assert schemas.faults(kind, told.json) == []
    return told.json


def _client_counts(served: Served) -> dict[str, int]:
    document = json.loads((served.folder / "run" / "report.json").read_text())
    (level,) = document["levels"]
    return {label: count for label, count in level["status_count"].items() if count}


def _of(report: dict[str, Any], source: str) -> dict[str, Any]:
    (found,) = [one for one in report["sources"] if one["name"] == source]
    return dict(found)


def test_client_and_service_agree_on_every_answer(managed: Served) -> None:
    """The client's counts hold; the traffic log has the preflight too, App Insights what reached the script."""
    sent = _client_counts(managed)
    report = _report(managed, "--run", "run", "--wait", "20s")
    assert report["by_status"] == sent
    assert report["requests"] == sum(sent.values())
    assert _of(report, "client")["by_status"] == sent
    assert _of(report, "traffic_log")["by_status"] == sent | {"200": sent["200"] + 1}
    inside = _of(report, "app_insights")
    assert inside["by_status"] == {"200": sent["200"] + 1, "500": sent["424"]}
    assert report["corrected_rows"] == inside["corrected_rows"] == inside["requests"]
    assert inside["columns_failed"] == 0


def test_telemetry_alone_tells_what_the_front_end_answered(managed: Served) -> None:
    """Without the run the traffic log's counts hold, refusals too."""
    sent = _client_counts(managed)
    _report(managed, "--run", "run", "--wait", "20s")
    report = _report(managed, "local", "--config", managed.config, "--since", "1h")
    assert report["by_status"] == sent | {"200": sent["200"] + 1}
    assert [one["name"] for one in report["sources"][:2]] == ["traffic_log", "app_insights"]


def test_the_service_log_alone_tells_what_reached_the_server(managed: Served) -> None:
    """A 429 of the front end is in no service log, and a 424 is the script's 500."""
    sent = _client_counts(managed)
    report = _report(managed, "--service-log", "service.log")
    assert report["by_status"] == {"200": sent["200"] + 1, "500": sent["424"]}
    assert [one["name"] for one in report["sources"]] == ["service_log"]


def test_all_sources_together_are_counted_once(managed: Served) -> None:
    """The client's counts hold; the others stand beside them; causes are the same ones."""
    sent = _client_counts(managed)
    report = _report(managed, "--run", "run", "--service-log", "service.log", "--wait", "20s")
    assert report["by_status"] == sent
    told = {one["name"]: one["by_status"] for one in report["sources"] if one["by_status"] is not None}
    reached = {"200": sent["200"] + 1, "500": sent["424"]}
    assert told["service_log"] == told["app_insights"] == reached
    assert {(one["rule"], one["count"]) for one in report["findings"]} == {("D01", sent["424"]), ("D13", sent["429"])}
    assert sorted(one["count"] for one in report["groups"]) == sorted([sent["424"], sent["429"]])


@pytest.mark.parametrize("command", ["latency", "diagnose"])
def test_the_other_documents_fit_their_schemas(command: str, managed: Served) -> None:
    """`report latency` and `diagnose` of the same run: valid, with the client's counts."""
    sent = _client_counts(managed)
    if command == "latency":
        assert _report(managed, "--run", "run", kind="latency")["requests"] == sum(sent.values())
        return
    told = redline(managed.folder, "diagnose", "run", "--json")
    assert told.code == 0, told.err
    assert schemas.faults("diagnose", told.json) == []
    assert told.json["failed"] == sent["424"] + sent["429"]
    assert {"D01", "D13"} <= {one["rule"] for one in told.json["findings"]}


def test_every_rendering_of_a_real_run_is_written(managed: Served) -> None:
    """The page and its sheet, JSON, Markdown, JUnit, CSV and SARIF; stdout holds the JSON alone."""
    told = redline(managed.folder, "report", "errors", "--run", "run", "--json", "--out", "report")
    names = {path.name for path in (managed.folder / "report").iterdir()}
    assert {"report.html", "report.css", "report.json", "summary.md", "junit.xml", "groups.csv"} <= names
    assert json.loads((managed.folder / "report" / "report.json").read_text()) == told.json
    assert told.err == ""


@pytest.mark.parametrize(
    ("hosting", "refusal", "inside"), [("aks", "503", "500"), ("aci", None, "500"), ("local", None, "500")]
)
def test_what_the_router_refuses_is_in_no_telemetry_of_the_server(
    hosting: str, refusal: str | None, inside: str, tmp_path: Path
) -> None:
    """On each hosting the service tells of all that reached it and of nothing else; aci and local refuse nothing."""
    flags = ("--hosting", hosting, "--max-concurrent", "2", "--service-time", "15ms", "--error-ratio", "20%")
    with serving(tmp_path, *flags) as served:
        assert served.load("--users", "4", "--for", "1s").code in (0, 1, 3)
        sent = _client_counts(served)
        report = _report(served, "--run", "run", "--wait", "20s")
    assert report["by_status"] == sent
    reached = {"200": sent["200"] + 1, inside: sent[inside]}
    assert sent == {"200": sent["200"], inside: sent[inside]} | ({} if refusal is None else {refusal: sent[refusal]})
    assert _of(report, "app_insights")["by_status"] == reached


REFUSALS = [
    ({"status": 401}, "no_credential"),
    (
        {"status": 403, "body": {"error": {"code": "InsufficientAccessError", "message": "no <b>right</b>"}}},
        "forbidden",
    ),
    ({"status": 429, "headers": {"Retry-After": "0.01"}, "body": {"error": {"code": "Throttled"}}}, "throttled"),
    ({"status": 502, "body": "<html><script>alert(1)</script>"}, "bad_answer"),
    ({"status": 404, "body": {"error": {"code": "ResourceNotFoundError", "message": "gone"}}}, "wrong_workspace"),
]


@pytest.mark.parametrize(("fault", "outcome"), REFUSALS, ids=[word for _, word in REFUSALS])
def test_a_source_that_refuses_is_told_and_the_others_are_read(
    fault: dict[str, Any], outcome: str, tmp_path: Path
) -> None:
    """The log's numbers hold, and the refusal has its own word and next step."""
    with serving(tmp_path, "--hosting", "aks", "--log-file", str(tmp_path / "service.log")) as served:
        assert served.score(GOOD) == 200
        served.faults(fault | {"count": 500})
        report = _report(served, "local", "--config", served.config, "--service-log", "service.log")
    assert _of(report, "service_log")["requests"] == report["requests"] > 0
    insights = _of(report, "app_insights")
    assert (insights["requests"], insights["outcome"]) == (None, outcome)
    assert insights["problems"][0]["next_step"]


def test_a_refusal_of_the_only_source_is_exit_3(tmp_path: Path) -> None:
    """Metrics that hold nothing are no account of the requests."""
    with serving(tmp_path, "--hosting", "aks") as served:
        served.faults({"status": 401, "count": 500})
        told = redline(tmp_path, "report", "errors", "local", "--config", served.config, "--json")
    assert _of(told.json, "app_insights")["outcome"] == "no_credential"
    assert told.code == 3


def test_azure_that_cannot_be_reached_is_exit_3(tmp_path: Path) -> None:
    """Nothing listens: no source could be read, in both reports, and the JSON says which."""
    (tmp_path / "token").write_text("a-token")
    (tmp_path / "redline.toml").write_text(
        '[endpoints.gone]\nscoring_uri = "http://127.0.0.1:9/score"\nauth = "none"\nhosting = "aks"\n'
        'workspace_id = "11111111-2222-3333-4444-555555555555"\nlogs_url = "https://127.0.0.1:9"\n'
        'azure_token_file = "token"\n'
    )
    for kind in ("errors", "latency"):
        told = redline(tmp_path, "report", kind, "gone", "--json")
        assert told.code == 3, told.err
        assert schemas.faults(kind, told.json) == []
        assert _of(told.json, "app_insights")["outcome"] == "unreachable"


STAY = [
    pytest.param({}, ("--wait", "50s"), id="late rows"),
    pytest.param({"hang": True}, (), id="no answer"),
]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(("fault", "more"), STAY)
def test_waiting_for_telemetry_ends_with_a_signal(
    fault: dict[str, Any], more: tuple[str, ...], number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """Whether rows are late or an answer never comes: one signal ends it, in one line."""
    with serving(tmp_path, "--hosting", "aks") as served:
        served.faults(fault | {"count": 500})
        process = started(tmp_path, ["report", "errors", "local", "--config", served.config, "--json", *more])
        served.until_asked()
        process.send_signal(number)
        told = ended(process, within_s=6)
    assert told.code == code, told.err
    assert told.out == ""
    assert "Traceback" not in told.err
