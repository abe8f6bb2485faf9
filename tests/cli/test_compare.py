"""`redline compare` on what two real runs left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.schemas import faults
from tests.cli.serving import serving
from tests.cli.terminal import Told, redline

SLOW, QUICK = "24ms", "12ms"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs `quick`, `again` and `slow`: two seconds of two users each."""
    folder = tmp_path_factory.mktemp("runs")
    for service_time, names in ((QUICK, ("quick", "again")), (SLOW, ("slow",))):
        with serving(folder, "--hosting", "aks", "--max-concurrent", "4", "--service-time", service_time) as served:
            for name in names:
                told = redline(folder, "load", "local", "--config", served.config, *LOAD, "--out", name)
                assert told.code in (0, 3), told.err
    return folder


LOAD = ("--users", "2", "--for", "3s", "--quiet")


def compare(folder: Path, *arguments: str) -> Told:
    """What the command said; a document fits its schema."""
    told = redline(folder, "compare", *arguments)
    assert "--json" not in arguments or faults("compare", told.json) == []
    return told


def test_a_slower_endpoint_closes_the_gate(runs: Path) -> None:
    """Twice the service time: every percentile rose, and --max-slower exits 1."""
    told = compare(runs, "quick", "slow", "--max-slower", "20%", "--json")
    document = told.json
    p50 = next(one for one in document["changes"] if one["name"] == "p50")
    assert p50["is_worse"]
    assert p50["probability"] > 0.99
    assert told.code == (1 if document["verdict"] == "FALLEN" else 3)


def test_a_baseline_stands_in_for_its_run(runs: Path) -> None:
    """The file kept of a run compares as the run does; without a later run nothing is compared."""
    kept = compare(runs, "quick", "--save-baseline", "baseline.json")
    assert (kept.code, kept.out) == (0, "")
    by_run, by_file = (compare(runs, one, "slow", "--json").json for one in ("quick", "baseline.json"))
    assert by_run["changes"] == by_file["changes"]


def test_the_renderings_are_written(runs: Path) -> None:
    """--out DIR holds the document and the job summary."""
    compare(runs, "quick", "again", "--out", "said")
    assert sorted(path.name for path in (runs / "said").iterdir()) == ["comparison.json", "comparison.md"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("quick",), "one run alone cannot be compared"),
        (("quick", "nowhere"), "no run folder"),
        (("quick", "slow", "--max-drop", "much"), "--max-drop"),
        (("quick", "slow", "--sure", "100%"), "--sure"),
        (("quick/run.json", "slow"), "is no baseline"),
        (("quick/attempts.bin", "slow"), "is no JSON"),
    ],
)
def test_a_mistake_is_one_line_with_a_hint(runs: Path, arguments: tuple[str, ...], words: str) -> None:
    """What, which thing, and what to type."""
    told = compare(runs, *arguments)
    assert told.code == 2
    assert words in told.err
    assert "hint: " in told.err
    assert "Traceback" not in told.err
