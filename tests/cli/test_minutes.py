"""`redline report minutes`: the table of a log, for a person and as JSON, and what a mistake is told."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli import schemas
from tests.cli.terminal import ROOT, redline

LOG = ROOT / "tests" / "data" / "logs" / "mixed-1.5.1" / "server.log"


def test_every_line_of_json_keeps_the_schema_and_the_counts_add_up(tmp_path: Path) -> None:
    """A captured log: as many requests as the whole report counts, each line as its schema promises."""
    lines = [json.loads(line) for line in redline(tmp_path, "report", "minutes", str(LOG), "--json").out.splitlines()]
    assert [fault for one in lines for fault in schemas.faults("minutes", one)] == []
    whole = json.loads(redline(tmp_path, "report", "errors", "--service-log", str(LOG), "--json").out)
    assert sum(one["requests"] for one in lines) == whole["requests"]


def test_the_table_has_a_line_a_minute_under_its_names(tmp_path: Path) -> None:
    """Two requests of two minutes: names, then minute, count, durations and statuses."""
    line = "2026-01-01 10:0{}:30,000 I [7] azmlinfsrv - POST /score {} 20.000ms 18\n"
    (tmp_path / "app.log").write_text(line.format(0, 200) + line.format(1, 503))
    names, *rows = redline(tmp_path, "report", "minutes", "app.log").out.splitlines()
    assert names.split() == ["minute", "(UTC)", "requests", "p50", "p95", "p99", "max", "statuses"]
    assert [row.split()[:3] + row.split()[-2:] for row in rows] == [
        ["2026-01-01", "10:00", "1", "200:", "1"],
        ["2026-01-01", "10:01", "1", "503:", "1"],
    ]


def test_a_file_that_is_not_there_is_one_line_and_a_hint(tmp_path: Path) -> None:
    """Exit code 2, and nothing on stdout."""
    told = redline(tmp_path, "report", "minutes", "missing.log")
    assert (told.code, told.out) == (2, "")
    assert "no such file" in told.err


def test_a_log_without_requests_says_so(tmp_path: Path) -> None:
    """An answer, not an empty table."""
    (tmp_path / "empty.log").write_bytes(b"")
    told = redline(tmp_path, "report", "minutes", "empty.log")
    assert (told.code, told.out) == (0, "no requests\n")
