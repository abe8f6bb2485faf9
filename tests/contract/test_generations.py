"""Microsoft's inference servers of three generations, really run: what is told of them is what their client saw."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.diagnosis import diagnose
from scoring.account import Account
from scoring.endpoint import Hosting
from scoring.scenario import Payload
from scoring.served import Source
from scoring.told import Told, together
from tests.localazure.asking import Asking
from tests.localazure.conftest import ROOT, Serve
from tests.monitor.azure.standin import arrived, told_of
from tests.monitor.diagnosis.live import SCENARIO
from tests.monitor.diagnosis.live import serve as live_endpoint

SCRIPT = ROOT / "tests" / "data" / "score" / "score.py"
GENERATIONS = {"1.5": ".venv-azureml", "0.8": ".venv-azureml-0.8", "0.4": ".venv-azureml-0.4"}
DONE = ("200", "200", "raise", "400", "429", "200", "sleep", "503", "raise", "429", "200", "raise")
SWAGGER = "name has 'swagger' or tostring(customDimensions) has 'swagger'"
"""Asked for by the front end when it starts."""
THROWN = Counter({"raise": 3, "sleep": 1})


@dataclass(frozen=True)
class Seen:
    """One request as its client saw it."""

    done: str
    request_id: str
    server_id: str
    status: int
    took_ms: float


@dataclass(frozen=True)
class Run:
    """What one generation answered and what was told of it."""

    generation: str
    seen: list[Seen]
    asking: Asking
    told: Told

    @property
    def account(self) -> Account:
        (account,) = self.told.accounts
        return account

    @property
    def columns_are_right(self) -> bool:
        return self.generation == "0.4"


def flags_of(generation: str) -> tuple[str, ...]:
    """What starts that server with the script; skips where it is not installed."""
    python = ROOT / GENERATIONS[generation] / "bin" / "python"
    if not python.exists():
        pytest.skip(f"needs the inference server {generation} in {GENERATIONS[generation]}")
    return ("--entry-script", str(SCRIPT), "--server-python", str(python))


@pytest.fixture(scope="module", params=GENERATIONS)
def run(request: pytest.FixtureRequest, serve: Serve) -> Iterator[Run]:
    """The script served and loaded; time-outs of `run()` after one second."""
    endpoint = serve("--hosting", "local", "--request-timeout", "1s", *flags_of(request.param))
    asking = Asking(endpoint.ready)
    since_at, seen = datetime.now(UTC), []
    for number, done in enumerate(DONE):
        started_ns = time.monotonic_ns()
        reply = endpoint.score(json.dumps({"do": done}).encode(), x_ms_client_request_id=f"id-{number}")
        took_ms = (time.monotonic_ns() - started_ns) / 1e6
        seen.append(Seen(done, f"id-{number}", reply.headers["x-request-id"], reply.status, took_ms))
    until_at = datetime.now(UTC)
    before = f"where timestamp < datetime({until_at.isoformat()})"
    scored = f"requests | {before} and not({SWAGGER}) | count"
    for kql, count in ((scored, len(DONE)), (f"exceptions | {before} | count", THROWN.total())):
        assert arrived(asking, kql, count, lambda: endpoint.score(b'{"do": "raise"}')) == count
    yield Run(request.param, seen, asking, told_of(endpoint.ready, since_at=since_at, until_at=until_at))
    asking.close()


def test_the_counts_are_those_of_the_client(run: Run) -> None:
    """Every status, as often as it was answered, and nothing besides."""
    assert run.account.by_label == Counter(str(one.status) for one in run.seen)
    assert run.told.problems == ()


def test_each_request_is_told_as_it_was_answered(run: Run) -> None:
    """One row each, with its status, joined by both ids where the generation sends them."""
    rows = run.account.rows
    assert [row.status for row in rows] == [one.status for one in run.seen]
    if run.generation != "0.4":
        assert [(row.request_id, row.server_id) for row in rows] == [
            (one.request_id, one.server_id) for one in run.seen
        ]


def test_the_durations_are_those_of_the_server(run: Run) -> None:
    """None is longer than its client waited, but for a millisecond of rounding; the time-out took its second."""
    pairs = list(zip(run.account.rows, run.seen, strict=True))
    assert [(row.duration_ms, one.took_ms) for row, one in pairs if (row.duration_ms or 0) > one.took_ms + 1] == []
    (timed_out,) = [row.duration_ms for row, one in pairs if one.done == "sleep"]
    assert timed_out is not None
    assert timed_out >= 999


def test_how_many_rows_were_corrected_is_told(run: Run) -> None:
    """All of them where the columns lie; none where they are right."""
    bad = sum(one.status != 200 for one in run.seen)
    expected = (0, bad) if run.columns_are_right else (len(run.seen), 0)
    assert (run.account.corrected_rows, run.account.columns_failed) == expected


def test_a_naive_query_is_right_for_the_oldest_only(run: Run) -> None:
    """The same store, asked for its columns, shows no failure of the present server: the trap."""
    first, last = run.told.since_at, run.told.until_at
    assert first is not None
    assert last is not None
    between = f"timestamp between (datetime({first.isoformat()}) .. datetime({last.isoformat()}))"
    failed = run.asking.rows(f"requests | where {between} and success != 'True' | count")[0][0]
    assert failed == (sum(one.status != 200 for one in run.seen) if run.columns_are_right else 0)


def test_the_exceptions_are_told_by_their_cause(run: Run) -> None:
    """The KeyError below the ValueError, with its line; 0.4 sends no chain, so there it is the ValueError."""
    lines = SCRIPT.read_text().splitlines()
    raised = 1 + next(number for number, line in enumerate(lines) if "raise ValueError" in line)
    looked = 1 + next(number for number, line in enumerate(lines) if 'return row["feature"]' in line)
    expected = {
        "0.4": ("ValueError", "row 7 lacks a feature", f"score.py:{raised} in run"),
    }.get(run.generation, ("KeyError", "'feature'", f"score.py:{looked} in look_up"))
    script = [one for one in run.told.thrown if one.kind == "script"]
    assert Counter((one.type, one.message, one.frame) for one in script) == {expected: THROWN["raise"]}
    assert [one.kind for one in run.told.thrown if one.kind != "script"] == ["timeout"] * THROWN["sleep"]


def test_each_exception_joins_the_request_that_failed(run: Run) -> None:
    """By the server's id, one to one: every answer with 500."""
    failed = sorted(row.server_id or "" for row in run.account.rows if row.status == 500)
    assert sorted(one.server_id or "" for one in run.told.thrown) == failed
    assert len(set(failed)) == THROWN.total()


@pytest.mark.parametrize(
    ("generation", "hosting", "confidence"),
    [*((one, Hosting.LOCAL, "medium") for one in GENERATIONS), ("1.5", Hosting.MANAGED, "high")],
)
def test_a_crash_is_the_hole_in_the_telemetry(
    generation: str, hosting: Hosting, confidence: str, tmp_path: Path
) -> None:
    """`os._exit` in `run()`: the client has a failure that the server knows nothing of, and that is the diagnosis.

    On a managed endpoint the console tells of the worker too, so there it is sure.
    """
    good = Payload("good", b'{"do": "200"}')
    scenario = replace(SCENARIO, payloads=(Payload("exit", b'{"do": "exit"}'), good, good, good))
    with live_endpoint(tmp_path, hosting, *flags_of(generation), telemetry=True) as live:
        client = live.load(requests=4, scenario=scenario)
        asking = Asking(live.ready)
        scored = f"requests | where timestamp < datetime({client.until_at}) and not({SWAGGER}) | count"
        found = arrived(asking, scored, 3, lambda: live.load(requests=1, scenario=replace(scenario, payloads=(good,))))
        asking.close()
        lost = [one.request_id or "" for one in client.failed]
        told = told_of(live.ready, lost, client.since_at, client.until_at)
    assert (found, len(lost)) == (3, 1)
    insights = told.account(Source.APP_INSIGHTS)
    assert insights is not None
    assert (insights.by_label, insights.looked_up) == ({"200": 3}, set(lost))
    (finding,) = diagnose(together([client, told])).findings
    assert (finding.rule, finding.count, finding.confidence) == ("D02", 1, confidence)
