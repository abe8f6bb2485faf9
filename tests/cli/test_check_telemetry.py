"""`redline check` and `watch` with goals of telemetry and availability rows, against the local endpoint's own store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.health.availability import is_installed
from tests.cli.schemas import faults
from tests.cli.serving import GOOD, Served, serving
from tests.cli.terminal import ended, redline, started
from tests.cli.watching import health_of, switched, until, watching
from tests.localazure.asking import Asking

needs_exporter = pytest.mark.skipif(not is_installed(), reason="needs azure-monitor-opentelemetry-exporter")
KEY = "00000000-0000-0000-0000-000000000001"
COUNT = 20
GOALS = """
[endpoints.local.checks]
every = "1s"
fail_after = 1
telemetry = ["failed_ratio(1h)<=1%", "telemetry_age<=30m"]
metrics = ["blue/CpuMemoryUtilizationPercentage(5m)<=90%"]
"""
ROWS = '[alerts]\navailability_env = "OPS_AI"\navailability_location = "cellar"\n'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A managed endpoint that answered 20 requests, some of them with 424."""
    folder = tmp_path_factory.mktemp("served")
    flags = ("--hosting", "managed", "--service-time", "1ms", "--telemetry-flush", "50ms", "--error-ratio", "40%")
    with serving(folder, *flags, "--seed", "5") as served:
        for _ in range(COUNT):
            served.score(GOOD)
        asking = Asking(served.ready)
        asking.count_once("requests | count", COUNT)
        asking.close()
        yield served


@pytest.fixture
def asking(served: Served) -> Iterator[Asking]:
    one = Asking(served.ready)
    yield one
    one.close()


def toml(served: Served, more: str) -> str:
    return Path(served.config).read_text() + more


def check(served: Served, folder: Path, more: str, **environ: str) -> Any:
    (folder / "redline.toml").write_text(toml(served, more))
    return redline(folder, "check", "local", "--json", **environ)


def test_a_check_tells_what_the_telemetry_shows_beside_the_answer(served: Served, tmp_path: Path) -> None:
    """Each goal is a check of its own; failures of the last hour fail the endpoint whatever this one answer is."""
    told = check(served, tmp_path, GOALS)
    assert faults("check", told.json) == []
    found = {one["id"]: one for one in told.json["endpoints"][0]["checks"]}
    ratio = found["failed_ratio(1h)<=1%"]
    assert (ratio["outcome"], ratio["reason"]) == ("FAILED", "failed_ratio_high")
    assert ratio["next_step"] == "redline report errors ENDPOINT --since 1h"
    assert found["telemetry_age<=30m"]["outcome"] == "OK"
    assert found["blue/CpuMemoryUtilizationPercentage(5m)<=90%"]["outcome"] == "OK"
    assert (told.code, told.json["endpoints"][0]["state"]) == (1, "FAILED")


def test_failures_in_the_telemetry_are_told_by_the_watcher(served: Served, tmp_path: Path) -> None:
    """One fire of the rule `telemetry`; /metrics shows the endpoint's state, and the report the incident."""
    with switched("/hook") as hook:
        with watching(tmp_path, toml(served, f'{GOALS}[alerts]\nwebhook = "{hook.uri}"\n')) as watch:
            until(lambda: any(one["rule"] == "telemetry" for one in hook.notices), "the fire")
            until(lambda: watch.metric('redline_endpoint_state{endpoint="local",state="FAILED"}'), "the state")
        fire = next(one for one in hook.notices if one["rule"] == "telemetry")
    assert (fire["kind"], fire["endpoint"], fire["reason"]) == ("fire", "local", "failed_ratio_high")
    assert fire["title"] == "FAILED: the telemetry of local: failed_ratio_high"
    assert fire["next_step"] == "redline report errors local --since 1h"
    assert "telemetry" in {one["rule"] for one in health_of(tmp_path)["incidents"]}


@needs_exporter
def test_a_check_is_a_row_that_any_query_finds(served: Served, asking: Asking, tmp_path: Path) -> None:
    """The real exporter sends it, the real SDK reads it under both names of the table, and nothing else came along."""
    told = check(served, tmp_path, GOALS + ROWS, OPS_AI=served.ready["connection_string"])
    found = told.json["endpoints"][0]
    asked = "availabilityResults | project name, success, location, message, tostring(customDimensions.state), duration"
    ((name, success, location, message, state, duration_ms),) = asking.rows_once(asked, bool)
    answer = found["checks"][0]
    assert (name, location, message, state) == ("local", "cellar", answer["reason"], answer["outcome"])
    assert success == ("1" if answer["outcome"] == "OK" else "0")
    assert duration_ms == pytest.approx(found["latency_ms"] or found["took_ms"], abs=1e-3)
    assert asking.rows("AppAvailabilityResults | project Name, Success") == [["local", success == "1"]]
    assert asking.rows("customMetrics | count") == [[0]]
    assert asking.rows("traces | where sdkVersion contains 'otel' and message has 'status' | count") == [[0]]


def test_a_row_that_came_twice_is_counted_once_by_our_own_report(
    served: Served, asking: Asking, tmp_path: Path
) -> None:
    """Sent again under its id, as after an answer that was lost: the share of passed checks is what it was."""
    body = {"id": "same", "name": "twice", "runLocation": "here", "duration": "00:00:00.1", "message": ""}
    item = served.item("Availability", {**body, "success": False})
    good = served.item("Availability", {**body, "id": "other", "success": True})
    assert served.send([item, item, good]) == 3
    (tmp_path / "redline.toml").write_text(toml(served, ""))
    told = redline(tmp_path, "report", "errors", "local", "--since", "10m", "--json")
    (series,) = [one for one in told.json["metrics"] if one["split"] == "of: twice here"]
    assert (series["name"], series["last"]) == ("availability", 0.5)


@needs_exporter
def test_every_check_of_a_watcher_becomes_a_row(served: Served, asking: Asking, tmp_path: Path) -> None:
    """Each with an id of its own, while the checks go on."""
    kql = "availabilityResults | where location == 'tower' | summarize count(), dcount(id)"
    more = GOALS + ROWS.replace("cellar", "tower")
    with watching(tmp_path, toml(served, more), OPS_AI=served.ready["connection_string"]):
        ((count, different),) = asking.rows_once(kql, lambda rows: rows[0][0] >= 3)
    assert count == different >= 3


@needs_exporter
def test_a_row_that_was_refused_comes_again_under_its_id(served: Served, tmp_path: Path) -> None:
    """503 first, then 200: the exit code is that of the check, one line tells the trouble and one its end."""
    with switched("") as ingestion:
        ingestion.status = 503
        (tmp_path / "redline.toml").write_text(toml(served, ROWS.replace("cellar", "attic")))
        place = f"InstrumentationKey={KEY};IngestionEndpoint={ingestion.uri}/"
        process = started(tmp_path, ["check", "local-token"], OPS_AI=place)
        until(lambda: ingestion.count, "an attempt")
        ingestion.status = 200
        told = ended(process)
    assert told.code in (0, 1)
    (items,) = [json.loads(body) for body in ingestion.got]
    assert [one["data"]["baseData"]["name"] for one in items] == ["local-token"]
    assert KEY not in told.out + told.err


@needs_exporter
def test_an_ingestion_that_is_down_costs_a_line_and_no_verdict(served: Served, tmp_path: Path) -> None:
    """Nobody listens: the check is told as ever, and that the row was not sent."""
    with switched("") as gone:
        place = f"InstrumentationKey={KEY};IngestionEndpoint={gone.uri}/"
    told = check(served, tmp_path, ROWS, OPS_AI=place)
    assert told.code in (0, 1)
    assert told.err == "availability rows: not taken: no answer\n1 availability row was not sent\n"


def test_a_variable_that_is_not_set_is_told_before_anything_is_asked(served: Served, tmp_path: Path) -> None:
    """Exit 4 and what to type."""
    told = check(served, tmp_path, ROWS)
    assert told.code == 4
    assert "environment variable OPS_AI is not set" in told.err
