"""`redline logs ENDPOINT`: by the control plane's API, from the workspace, and what falls back to what."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli import schemas
from tests.cli.serving import GOOD, Served, serving
from tests.cli.standin_control import command
from tests.cli.terminal import Told, ended, redline, started

PAYLOAD = (
    b"2026-01-01 10:00:00,632 I [7] azmlinfsrv.print - Received input: {'data': [{'patient': 'Ada', 'age': 36}]}\n"
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("logs"), "--hosting", "managed", "--instances", "1") as endpoint:
        assert [endpoint.score(GOOD) for _ in range(3)] == [200] * 3
        assert endpoint.score(b"no json") == 424
        yield endpoint


def _logs(served: Served, *more: str, endpoint: str = "local") -> Told:
    return redline(served.folder, "logs", endpoint, "--config", served.config, *more)


def _entries(told: Told) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in told.out.splitlines()]
    assert [fault for one in found for fault in schemas.faults("logs", one)] == []
    return found


def test_the_log_comes_by_the_api_where_azure_can_be_asked(served: Served) -> None:
    """Every request of the container once, by its status; nothing is said on stderr."""
    told = _logs(served, "--status", "2xx,4xx", "--json")
    assert told.code == 0, told.err
    assert [one["status"] for one in _entries(told)] == [200, 200, 200, 400]
    assert told.err == ""


def test_the_workspace_tells_the_same(served: Served) -> None:
    """The console that the diagnostic setting keeps, parsed by the same reader."""
    told = _logs(served, "--from", "workspace", "--status", "2xx,4xx", "--json")
    assert [one["status"] for one in _entries(told)] == [200, 200, 200, 400]


@pytest.mark.parametrize("source", ["api", "workspace"])
def test_the_tail_is_the_newest_lines(served: Served, source: str) -> None:
    """As many as asked for."""
    told = _logs(served, "--from", source, "--tail", "2", "--json")
    assert len("".join(one["text"] for one in _entries(told)).split("azmlinfsrv - POST")) <= 3
    assert sum(one["text"].count("\n") + 1 for one in _entries(told)) == 2


def test_each_container_has_a_log_of_its_own(served: Served) -> None:
    """The storage initializer tells of the model's download, and of no request."""
    told = _logs(served, "--container", "storage-initializer", "--json")
    assert _entries(told)
    assert {one["status"] for one in _entries(told)} == {None}


def test_what_the_api_refuses_the_workspace_may_have(served: Served) -> None:
    """The fall-back is stated; `--from api` alone falls back to nothing: exit 4."""
    command(served.ready, "roles", {"roles": ["monitoring-reader"]})
    try:
        told = _logs(served, "--status", "2xx", "--json")
        refused = _logs(served, "--from", "api")
    finally:
        command(served.ready, "roles", {"roles": ["data-scientist", "monitoring-reader"]})
    assert told.code == 0
    assert len(_entries(told)) == 3
    assert told.err.startswith("note: the log of InferenceServer of `local`, deployment `blue`: not allowed")
    assert "the workspace is read instead" in told.err
    assert refused.code == 4
    assert refused.err.startswith("error: the log of InferenceServer")


@pytest.mark.parametrize("source", ["api", "workspace"])
def test_a_log_is_followed_as_it_grows(served: Served, source: str) -> None:
    """What came before is shown, then what comes, each line once; Ctrl-C ends it with 130."""
    flags = ["--config", served.config, "--from", source, "--follow", "--json", "--status", "2xx"]
    process = started(served.folder, ["logs", "local", *flags])
    assert process.stdout is not None
    before = {process.stdout.readline() for _ in range(3)}
    assert served.score(GOOD) == 200
    newest = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    told = ended(process)
    assert newest not in before
    assert json.loads(newest)["status"] == 200
    assert (told.code, told.out) == (130, ""), told.err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--from", "heaven"), "--from: `heaven` is none"),
        (("--container", "mine"), "--container: `mine` is none"),
        (("--deployment", "green"), "The deployment 'green' was not found"),
        (("--deployment", "a b"), "is no deployment name"),
        (("--status", "5zz"), "`5zz` is not a status"),
    ],
)
def test_a_mistyped_part_is_one_line_and_a_hint(served: Served, flags: tuple[str, ...], words: str) -> None:
    """With the value seen; what was mistyped is looked for nowhere else."""
    told = _logs(served, *flags)
    assert told.code in (2, 4)
    assert words in told.err
    assert "note:" not in told.err
    assert told.out == ""


def test_a_service_of_the_first_sdk_has_one_log_by_its_own_api(tmp_path: Path) -> None:
    """AKS: by model management; there are no deployments, and no console in the workspace."""
    with serving(tmp_path, "--hosting", "aks") as served:
        assert served.score(GOOD) == 200
        told = _logs(served, "--status", "2xx", "--json")
        assert [one["status"] for one in _entries(told)] == [200]
        assert "has no deployments" in _logs(served, "--deployment", "blue").err
        assert "keeps no console" in _logs(served, "--from", "workspace").err


def test_payloads_in_a_log_are_told_by_their_shape(tmp_path: Path) -> None:
    """People's data is not shown unless it is asked for."""
    (tmp_path / "app.log").write_bytes(PAYLOAD)
    hidden = redline(tmp_path, "logs", "app.log")
    assert "Ada" not in hidden.out
    assert "Received input: {data: list[1] of {patient: str, age: int}}" in hidden.out
    shown = redline(tmp_path, "logs", "app.log", "--include-payloads")
    assert "'patient': 'Ada'" in shown.out


@pytest.mark.parametrize("flags", [("--tail", "5"), ("--from", "api"), ("--deployment", "blue")], ids=" ".join)
def test_what_is_of_an_endpoint_is_refused_for_a_file(flags: tuple[str, ...], tmp_path: Path) -> None:
    """Rather than left out in silence: exit 2."""
    (tmp_path / "app.log").write_bytes(PAYLOAD)
    told = redline(tmp_path, "logs", "app.log", *flags)
    assert told.code == 2
    assert f"error: {flags[0]} is of an endpoint's log, and `app.log` is a file" in told.err
