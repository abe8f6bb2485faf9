"""The status page of a real `redline watch`: served, kept in a folder, and made once more from the state folder."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from tests.cli.schemas import faults
from tests.cli.terminal import redline
from tests.cli.watching import Watch, stopped, switched, until, watching

TOML = '[endpoints.churn]\nscoring_uri = "{uri}"\nchecks = {{ every = "1s", slo = "99%" }}\n'


def state_of(watch: Watch) -> str | None:
    """What the served JSON says of the endpoint; None while there is none."""
    status, text = watch.page("/status.json")
    return json.loads(text)["endpoints"][0]["state"] if status == 200 else None


def test_the_page_follows_the_endpoint_and_ends_with_the_watcher(tmp_path: Path) -> None:
    """From OK to FAILED over HTTP and in the folder; after SIGTERM the page in the folder says that nobody watches."""
    folder = tmp_path / "public"
    with switched() as endpoint, watching(tmp_path, TOML.format(uri=endpoint.uri), status="public") as watch:
        until(lambda: state_of(watch) == "OK", "a page on which the endpoint is well")
        assert "The one endpoint is well" in watch.page("/")[1]
        endpoint.status = 500
        until(lambda: state_of(watch) == "FAILED", "a page on which it has failed")
        served = watch.page("/")[1]
        document = json.loads((folder / "status.json").read_text())
        told = stopped(watch)
    assert told.code == 143
    assert "status_500" in served
    assert faults("health", document) == []
    assert document["watcher"]["next_at"] > document["made_at"]
    assert "The watcher was stopped" in (folder / "index.html").read_text()
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "status.css", "status.json"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert (stat.S_IMODE(folder.stat().st_mode), modes) == (0o700, {0o600})


def test_a_page_that_cannot_be_written_is_said_once_and_checks_go_on(tmp_path: Path) -> None:
    """Where a folder stands in the way of the page, the watcher watches, and serves it."""
    (tmp_path / "public" / "index.html").mkdir(parents=True)
    with switched() as endpoint, watching(tmp_path, TOML.format(uri=endpoint.uri), status="public") as watch:
        until(lambda: state_of(watch) == "OK", "the page over HTTP")
        endpoint.status = 500
        until(lambda: state_of(watch) == "FAILED", "the page after a change")
        told = stopped(watch)
    assert told.code == 143
    assert told.err.count("no status page") == 1
    assert "index.html cannot be written" in told.err


def test_a_folder_that_cannot_be_made_is_refused_at_once(tmp_path: Path) -> None:
    """Before anything is watched."""
    (tmp_path / "redline.toml").write_text(TOML.format(uri="http://127.0.0.1:9/score"))
    (tmp_path / "public").write_text("a file")
    told = redline(tmp_path, "watch", "--state", "state", "--status", "public", "--for", "5s")
    assert (told.code, "the status page" in told.err, (tmp_path / "state").exists()) == (2, True, False)


def test_the_same_page_is_made_from_the_state_folder(tmp_path: Path) -> None:
    """Offline, of ninety days; a file that others may read stays so; what nobody watches is not shown as well."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.html").touch()
    (tmp_path / "out" / "index.html").chmod(0o644)
    with switched() as endpoint, watching(tmp_path, TOML.format(uri=endpoint.uri)) as watch:
        until(lambda: state_of(watch) == "OK", "a good check")
        watch.process.kill()
        watch.process.wait()
    (tmp_path / "state" / "watch.lock").write_text('{"beat_s": 1700000000.0}')
    told = redline(tmp_path, "report", "health", "--state", "state", "--out", "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert (told.code, "churn" in told.out) == (0, True)
    assert "NOT WATCHED" in page
    assert "The one endpoint is well, as last seen" in page
    assert "Endpoints, 90 days" in page
    assert stat.S_IMODE((tmp_path / "out" / "index.html").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "out" / "status.json").stat().st_mode) == 0o600
