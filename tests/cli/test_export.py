"""`redline export azure-load-testing`: a folder that Locust runs anywhere, configured as the service documents it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

from capacity.runfolder import read_attempts
from tests.cli.serving import Served, serving
from tests.cli.terminal import redline

CRITERION = r"^(p(50|75|90|95|96|97|98|99)\(response_time_ms\)|percentage\(error\)) > \d+$"
SCHEMA = {
    "type": "object",
    "required": ["version", "testId", "testPlan", "testType", "engineInstances"],
    "additionalProperties": False,
    "properties": {
        "version": {"const": "v0.1"},
        "testId": {"type": "string", "pattern": "^[a-z0-9_-]{2,50}$"},
        "displayName": {"type": "string", "minLength": 2, "maxLength": 50},
        "description": {"type": "string", "maxLength": 100},
        "testPlan": {"const": "locustfile.py"},
        "testType": {"const": "Locust"},
        "engineInstances": {"type": "integer", "minimum": 1, "maximum": 400},
        "configurationFiles": {"type": "array", "items": {"type": "string", "pattern": "^[^/\\\\]+$"}},
        "failureCriteria": {"type": "array", "items": {"type": "string", "pattern": CRITERION}},
        "autoStop": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "errorPercentage": {"type": "integer", "minimum": 0, "maximum": 100},
                "timeWindow": {"type": "integer", "minimum": 1},
            },
        },
        "secrets": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "value"],
                "properties": {"name": {"type": "string"}, "value": {"type": "string", "pattern": "^https://"}},
            },
        },
    },
}
"""The keys that the service documents, as far as they are written."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("endpoint"), "--hosting", "aks", "--max-concurrent", "4") as found:
        yield found


@pytest.fixture(scope="module")
def exported(served: Served) -> Path:
    """The exported test of one second of two users."""
    goals = ("--threshold", "p95<=300.7ms", "--threshold", "errors<=0.5%", "--threshold", "rejected<=0.1%")
    told = redline(
        served.folder,
        *("export", "azure-load-testing", "local", "--config", served.config, "--users", "2", "--for", "1s"),
        *goals,
        *("--out", "load-test"),
    )
    assert told.code == 0, told.err
    assert "p95<=300.7ms is kept as 300 ms: the service takes whole numbers" in told.err
    assert "rejected<=0.1% is left out: the service counts all failures together" in told.err
    return served.folder / "load-test"


def test_the_configuration_follows_the_documented_schema(exported: Path) -> None:
    """Known keys only, whole numbers in the criteria, and every file it names is there."""
    config = yaml.safe_load((exported / "config.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(config, SCHEMA)
    assert config["failureCriteria"] == ["p95(response_time_ms) > 300", "percentage(error) > 0"]
    assert set(config["configurationFiles"]) | {"config.yaml", "locustfile.py"} == {
        path.name for path in exported.iterdir()
    }


def test_no_file_holds_the_key_or_a_path_of_this_machine(exported: Path, served: Served) -> None:
    """The key comes from a variable that the service fills from a Key Vault."""
    for path in exported.iterdir():
        content = path.read_bytes()
        assert served.ready["key"].encode() not in content
        assert str(served.folder).encode() not in content


def test_locust_runs_it_with_what_stands_in_the_folder(exported: Path, served: Served) -> None:
    """Every import of redline's comes out of the archive, and the endpoint answers with 200."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "locust", "-f", "locustfile.py", "--headless", "--only-summary"],
        cwd=exported,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        | {"SCORING_KEY": served.ready["key"], "TMPDIR": str(exported.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (run,) = exported.parent.glob("redline-*/")
    rows = read_attempts(run)
    assert len(rows) > 10
    assert set(rows["status"][rows["failure"] == 0]) == {200}


def test_the_archive_is_the_same_each_time(exported: Path, served: Served) -> None:
    """It holds the three packages, no caches, and no time of its making."""
    told = redline(served.folder, "export", "azure-load-testing", "local", "--config", served.config, "--out", "again")
    assert told.code == 0, told.err
    (one,), (two,) = exported.glob("*.zip"), (served.folder / "again").glob("*.zip")
    assert one.read_bytes() == two.read_bytes()
    names = zipfile.ZipFile(one).namelist()
    assert {name.partition("/")[0] for name in names} == {"scoring", "capacity", "locustfiles"}
    assert not [name for name in names if "__pycache__" in name]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--out", "load-test"), "is not empty"),
        (("--engines", "0"), "--engines 0"),
        (("--threshold", "fast"), "fast"),
    ],
)
def test_a_mistake_is_one_line(exported: Path, served: Served, flags: tuple[str, ...], words: str) -> None:
    """Nothing is overwritten, and the option is named."""
    told = redline(served.folder, "export", "azure-load-testing", "local", "--config", served.config, *flags)
    assert told.code == 2
    assert words in told.err
    assert exported.is_dir()
