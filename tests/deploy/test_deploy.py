"""deploy/ is what `redline export` writes, is valid for those who read it, and its commands run."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.serving import Served, serving
from tests.cli.terminal import ROOT, Told, redline
from tests.deploy.transcripts import SERVE, blocks, prepare, ran_fairly, said, shape
from tests.deploy.written import DEPLOY, commands, containers, here

KINDS = ("systemd", "container", "kubernetes", "github-actions", "jenkins")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("endpoint"), *SERVE) as found:
        prepare(found)
        yield found


def run(served: Served, words: list[str]) -> Told:
    return redline(served.folder, *here(words, served.folder), SCORING_KEY=served.ready["key"])


@pytest.mark.parametrize("kind", KINDS)
def test_deploy_is_what_export_writes_for_the_example(kind: str, tmp_path: Path) -> None:
    """Every file, byte for byte; there is one source of both."""
    told = redline(tmp_path, "export", kind, "--config", str(DEPLOY / "redline.toml"), "--out", "out")
    assert told.code == 0, told.err
    written = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert written == {path.name: path.read_text() for path in (DEPLOY / kind).iterdir()}


@pytest.mark.parametrize("place", [place for place, words in commands().items() if words[0] == "check"])
def test_each_check_runs_as_it_is_written(place: str, served: Served) -> None:
    """The file's own words find the endpoint OK."""
    told = run(served, commands()[place])
    assert told.code == 0, told.err
    assert "churn-prod" in told.out


@pytest.mark.parametrize("place", [place for place, words in commands().items() if words[0] == "watch"])
def test_each_watch_runs_as_it_is_written(place: str, served: Served) -> None:
    """The file's own words start a watcher, which here ends by itself."""
    told = run(served, [*commands()[place], "--for", "1s"])
    assert told.code == 0, told.err


def test_the_scheduled_search_and_its_comparison_run_as_they_are_written(served: Served) -> None:
    """Both files say the same words: the limit is found, its report is there, and a run like its baseline passes."""
    limit, compare = commands()["load-test.yml limit"], commands()["load-test.yml compare"]
    assert (limit, compare) == (commands()["jenkins limit"], commands()["jenkins compare"])
    told = ran_fairly(served, limit)
    assert told.code == 0, told.err + told.out
    assert shape(told.out.partition("\n")[0]) == shape(blocks()[" ".join(limit)].partition("\n")[0])
    for name in ("summary.md", "junit.xml", "report.html"):
        assert (served.folder / "run" / name).is_file()
    assert run(served, ["compare", "run", "--save-baseline", "baseline.json"]).code == 0
    told = run(served, compare)
    assert told.code == 0, told.err + told.out
    assert "limit of rejected<=0.1%" in told.out
    assert set(shape(said(told))) >= {line for line in shape(blocks()[" ".join(compare)]) if " at 0 " not in line}
    assert list((served.folder / "compared").glob("*.md"))


def test_master_and_worker_run_with_the_arguments_of_kubernetes(served: Served) -> None:
    """One worker instead of four, on loopback: the key is the worker's alone, and the verdict the master's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    instead = {"5557": port, "4": "1", "redline-limit-churn-prod": "127.0.0.1", "managed": "aks", "10m": "10s"}
    address = "https://churn-prod.westeurope.inference.ml.azure.com/score"
    instead[address] = served.ready["scoring_uri"]

    def started(name: str, **environ: str) -> subprocess.Popen[str]:
        words = [instead.get(word, word) for word in here(containers()[name]["args"], served.folder)]
        return subprocess.Popen(
            [sys.executable, "-m", "locust", *words],
            cwd=served.folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(served.folder), "PYTHONPATH": str(ROOT), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    master = started("master")
    worker = started("worker", SCORING_KEY=served.ready["key"])
    said, _ = master.communicate(timeout=90)
    worker_said, _ = worker.communicate(timeout=30)
    assert "first 429 or 503 at 3 users" in said, said + worker_said
    assert master.returncode in (0, 3), said + worker_said  # as above
    assert worker.returncode == 0, worker_said


def test_systemd_reads_the_units(tmp_path: Path) -> None:
    """`systemd-analyze verify` finds nothing; the program's path is one that exists here."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    names = [path.name for path in (DEPLOY / "systemd").iterdir() if path.suffix in (".service", ".timer")]
    for name in names:
        text = (DEPLOY / "systemd" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/redline/bin/redline", "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *(f"./{name}" for name in names)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("program", "flags", "pattern"),
    [
        ("kubernetes-validate", ("--strict",), "kubernetes/*.yaml"),
        ("check-jsonschema", ("--builtin-schema", "vendor.github-workflows"), "github-actions/*.yml"),
    ],
)
def test_files_follow_their_schemas(program: str, flags: tuple[str, ...], pattern: str) -> None:
    """The schemas that the programs bring along accept every file."""
    found = Path(sys.executable).with_name(program)
    if not found.exists():
        pytest.skip(f"{program} is not installed")
    done = subprocess.run(
        [str(found), *flags, *map(str, sorted(DEPLOY.glob(pattern)))], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


AZURE = """
[endpoints.Churn_2]
scoring_uri = "https://churn.westeurope.inference.ml.azure.com/score"
hosting = "managed"
auth = "entra"
arm_id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/c"
[endpoints.Churn_2.checks]
cron = "*/10 8-18 * * MON-FRI"
zone = "Europe/Vienna"
"""


@pytest.mark.parametrize(
    ("kind", "file", "words"),
    [
        ("systemd", "redline-check.timer", ("OnCalendar=Mon..Fri *-*-* 8..18:0/10:00 Europe/Vienna",)),
        ("kubernetes", "check-cronjob.yaml", ('timeZone: "Europe/Vienna"', "workload.identity/use", "check-churn-2\n")),
        ("github-actions", "check.yml", ("id-token: write", "azure/login@v2", "vars.AZURE_CLIENT_ID")),
        ("jenkins", "Jenkinsfile", ("TZ=Europe/Vienna\n*/10 8-18 * * MON-FRI", "credentials('AZURE_CLIENT_SECRET')")),
    ],
)
def test_the_files_follow_redline_toml(kind: str, file: str, words: tuple[str, ...], tmp_path: Path) -> None:
    """Schedule, zone and the way to sign in are those of the endpoint."""
    (tmp_path / "redline.toml").write_text(AZURE, encoding="utf-8")
    told = redline(tmp_path, "export", kind, "Churn_2", "--out", "out")
    assert told.code == 0, told.err
    text = (tmp_path / "out" / file).read_text(encoding="utf-8")
    assert [word for word in words if word not in text] == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    """Exit 2, and nothing is overwritten."""
    (tmp_path / "units").mkdir()
    (tmp_path / "units/mine").write_text("mine")
    told = redline(tmp_path, "export", "systemd", "--config", str(DEPLOY / "redline.toml"))
    assert (told.code, "is not empty" in told.err) == (2, True)
    assert [path.name for path in (tmp_path / "units").iterdir()] == ["mine"]
