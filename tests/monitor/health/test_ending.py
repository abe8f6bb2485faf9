"""How a watcher ends: by which signals, with which exit code, and what it leaves."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.cli.terminal import ended
from tests.cli.watching import health_of, switched, until, watching


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)], ids=["INT", "TERM", "HUP"]
)
def test_a_signal_ends_the_watcher_and_its_folder_is_whole(number: int, code: int, tmp_path: Path) -> None:
    """Nothing is said of a traceback, and the next command reads what was checked."""
    with switched() as endpoint:
        toml = f'[endpoints.churn]\nscoring_uri = "{endpoint.uri}"\nchecks = {{ every = "1s" }}\n'
        with watching(tmp_path, toml) as watch:
            until(lambda: watch.metric('redline_checks_total{endpoint="churn",state="OK"}'), "a good check")
            watch.process.send_signal(number)
            told = ended(watch.process)
    assert (told.code, "Traceback" in told.err) == (code, False)
    (found,) = health_of(tmp_path)["endpoints"]
    assert found["state"] == "OK"
