"""/metrics as Prometheus and its promtool read it."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.cli.watching import Watch, switched, until, watching

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus and promtool are not installed (Debian: prometheus)",
)


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    """A watcher of an endpoint that is well and of one that is not, after checks of both."""
    with switched() as well, switched(status=500) as bad:
        checks = 'checks = { every = "1s" }'
        endpoints = {"well": well.uri, "bad": bad.uri}
        toml = "".join(f'[endpoints.{name}]\nscoring_uri = "{uri}"\n{checks}\n' for name, uri in endpoints.items())
        with watching(tmp_path_factory.mktemp("watch"), toml) as found:
            until(lambda: found.metric('redline_endpoint_state{endpoint="bad",state="FAILED"}'), "an incident")
            yield found


def test_promtool_has_no_complaint(watch: Watch) -> None:
    """`promtool check metrics` reads names, types, units and help, and says nothing."""
    text = watch.page("/metrics")[1]
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_prometheus_scrapes_states_and_the_histogram(watch: Watch, tmp_path: Path) -> None:
    """The target is up; a query gives the state of each endpoint and a quantile of the latency."""
    with prometheus(tmp_path, watch.address or "") as ask:
        until(lambda: values(ask('up{job="redline"}')) == ["1"], "a scrape")
        states = {
            one["metric"]["endpoint"]: one["metric"]["state"] for one in ask("redline_endpoint_state == 1")["result"]
        }
        assert states == {"well": "OK", "bad": "FAILED"}
        until(
            lambda: values(ask("histogram_quantile(0.5, redline_check_latency_seconds_bucket)")),
            "a quantile of the latency",
        )


def values(answer: dict[str, Any]) -> list[str]:
    return [one["value"][1] for one in answer["result"]]


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Any]:
    """Prometheus scrapes the target every second until the block ends; what is yielded asks it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "prometheus.yml").write_text(
        f"scrape_configs:\n- job_name: redline\n  scrape_interval: 1s\n  static_configs:\n  - targets: ['{target}']\n"
    )
    words = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(["prometheus", *words], cwd=folder, stdout=said, stderr=said)

    def ask(query: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with closing(connection), suppress(OSError):
            connection.request("GET", f"/api/v1/query?query={quote(query)}")
            answer = connection.getresponse()
            if answer.status == 200:
                found: dict[str, Any] = json.loads(answer.read())["data"]
                return found
        return {"result": []}

    try:
        yield ask
    finally:
        process.terminate()
        process.wait(timeout=30)
