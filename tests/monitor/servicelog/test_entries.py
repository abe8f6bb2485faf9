"""`redline logs`: entries, filters, and a log that grows."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.servicelog.entries import LogEntry
from monitor.servicelogs import entries, tell
from scoring.errors import Exit, RedlineError
from tests.monitor.servicelog.readings import DATA, GENERATIONS, lines_of, scored, truth_of

NEW = "2026-01-01 10:00:{:02d},617 I [7] azmlinfsrv - POST /score {} 0.984ms 18"


def _written(tmp_path: Path, *lines: str) -> str:
    path = tmp_path / "app.log"
    path.write_bytes(lines_of(*lines))
    return str(path)


@pytest.mark.parametrize("version", GENERATIONS)
def test_each_failed_request_is_one_entry(version: str) -> None:
    """Of a request's two lines, the one with more to tell is shown."""
    found = list(entries(str(DATA / f"mixed-{version}" / "server.log"), status="5xx"))
    truth = scored(truth_of(f"mixed-{version}")["counts"])
    assert len(found) == truth["500"] + truth["503"]
    assert {entry.status for entry in found} == {500, 503}


def test_a_traceback_is_one_entry() -> None:
    """All its lines, with the number of the first; redacted and harmless."""
    found = [one for one in entries(str(DATA / "mixed-1.5.1" / "server.log")) if one.kind == "exception"]
    assert any(one.text.endswith("Caught an unhandled exception from the user script") for one in found)
    assert all("\x1b" not in one.text for one in found)
    assert found[0].level == "E"


def test_every_line_of_a_log_is_in_an_entry() -> None:
    """Nothing is lost and nothing comes twice."""
    path = DATA / "mixed-0.7.7" / "server.log"
    shown = "\n".join(one.text for one in entries(str(path), with_payloads=True)).splitlines()
    lines = path.read_text("utf-8").splitlines()
    assert [line for line in shown if line.strip()] == [line for line in lines if line.strip()]


def test_entries_are_filtered_by_time_and_pattern(tmp_path: Path) -> None:
    """From an instant on, and only what matches."""
    path = _written(tmp_path, *[NEW.format(second, 200 + second) for second in range(10)])
    since_at = datetime(2026, 1, 1, 10, 0, 8, tzinfo=UTC)
    assert [one.status for one in entries(path, since_at=since_at)] == [208, 209]
    assert [one.line for one in entries(path, pattern="score 20[13]")] == [2, 4]
    assert [one.status for one in entries(path, status="201,209")] == [201, 209]


@pytest.mark.parametrize("status", ["", "abc", "5x", "20", "2000", "5xx;4xx"])
def test_a_status_that_cannot_be_read_is_said(tmp_path: Path, status: str) -> None:
    """Before anything is shown."""
    with pytest.raises(RedlineError, match="is not a status"):
        next(entries(_written(tmp_path, "200"), status=status))


def test_a_pattern_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    """With the place of the mistake."""
    with pytest.raises(RedlineError, match="is not a regular expression"):
        next(entries(_written(tmp_path, "200"), pattern="("))


def test_secrets_are_taken_out_of_entries(tmp_path: Path) -> None:
    """The token of the header block goes, its line stays."""
    (entry,) = entries(_written(tmp_path, "    Authorization: Bearer q8szMDbCoNlxDZCpiGI8tnqaxtC1yDiy"))
    assert "Authorization" in entry.text
    assert "q8sz" not in entry.text


def test_a_long_line_is_cut_and_says_so(tmp_path: Path) -> None:
    """The first 64 KiB are shown."""
    (entry,) = entries(_written(tmp_path, "x" * 10_000_000))
    assert len(entry.text) < 70_000
    assert entry.text.endswith("more characters]")


def _until(found: Iterator[LogEntry], count: int) -> list[str]:
    return [next(found).text for _ in range(count)]


def test_a_growing_log_is_followed_through_truncation_and_rotation(tmp_path: Path) -> None:
    """Each line is shown once: those there, those appended, those after the file was emptied or replaced."""
    path = tmp_path / "app.log"
    path.write_bytes(b"first\n200\n")
    found = entries(str(path), follow=True)
    assert _until(found, 2) == ["first", "200"]
    with path.open("ab") as file:
        file.write(b"404\n50")
        file.flush()
        assert _until(found, 1) == ["404"]
        file.write(b"3\n")
    assert _until(found, 1) == ["503"]
    path.write_bytes(b"500\n")
    assert _until(found, 1) == ["500"]
    (tmp_path / "next.log").write_bytes(b"201\n202\n203\n")
    (tmp_path / "next.log").replace(path)
    assert _until(found, 3) == ["201", "202", "203"]
    found.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("make", ["missing", "folder"])
def test_a_log_that_cannot_be_read_is_said_at_once(tmp_path: Path, make: str) -> None:
    """Exit code 2, the path, and what to type."""
    path = tmp_path / "app.log"
    if make == "folder":
        path.mkdir()
    with pytest.raises(RedlineError, match=r"service log `.*app\.log` cannot be read") as caught:
        tell([str(DATA / "seed_scoring_extract.log"), str(path)], since_at=None)
    assert caught.value.exit_code == Exit.USAGE
    with pytest.raises(RedlineError):
        next(entries(str(path)))


def test_a_damaged_packed_log_is_said(tmp_path: Path) -> None:
    """A gzip file that was cut."""
    path = tmp_path / "app.log.gz"
    path.write_bytes(gzip.compress(b"200\n" * 10_000)[:-20])
    with pytest.raises(RedlineError, match="cannot be read"):
        tell([str(path)], since_at=None)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "app.log is empty"), (b"dear diary\n", "app.log has 1 line, and none is of a known format")],
)
def test_a_log_that_tells_nothing_is_a_problem(tmp_path: Path, content: bytes, sentence: str) -> None:
    """An account of no requests, and why."""
    path = tmp_path / "app.log"
    path.write_bytes(content)
    told = tell([str(path)], since_at=None)
    assert told.accounts[0].requests == 0
    assert [(one.outcome, one.sentence) for one in told.problems] == [("no_data", sentence)]


def test_only_the_period_asked_for_is_told(tmp_path: Path) -> None:
    """Requests before it are left out."""
    path = _written(tmp_path, *[NEW.format(second, 200) for second in range(10)])
    told = tell([path], since_at=datetime(2026, 1, 1, 10, 0, 7, tzinfo=UTC))
    assert told.accounts[0].requests == 3
    assert told.since_at == datetime(2026, 1, 1, 10, 0, 7, tzinfo=UTC)


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    """The last word is that all of the file was read."""
    path = _written(tmp_path, "200")
    heard: list[tuple[str, int, int]] = []
    tell([path], since_at=None, on_progress=lambda *told: heard.append(told))
    assert heard == [("app.log", 4, 4)]
