"""A file with other user classes: requests to another place than the endpoint are told, once for each place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from locustfiles._elsewhere import Elsewhere
from tests.locustfiles.faultserver import FaultServer
from tests.locustfiles.test_run import finished, locust, serve

__all__ = ["serve"]

FILE = """
from locust import HttpUser, constant, task

from locustfiles.closed_loop import ScoringUser

__all__ = ["ScoringUser"]


class Other(HttpUser):
    wait_time = constant(0.05)

    @task
    def elsewhere(self):
        self.client.post("{elsewhere}", b"x")
        self.client.post("{here}", b"x")
"""


@pytest.mark.parametrize(
    ("urls", "told"),
    [
        (("http://a/score", "/score", "http://a/other", ""), 0),
        (("http://b/score?k=1", "http://b/other"), 1),
        (("https://a/score", "http://a:81/"), 2),
        (("http://[::1", None), 0),
        (tuple(f"http://h{number}/" for number in range(100)), 20),
    ],
)
def test_each_foreign_place_is_told_once(
    urls: tuple[str | None, ...], told: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Another host, scheme or port is another place; a path is the endpoint's own; the number of lines is bounded."""
    listener = Elsewhere("http://a/score")
    for url in urls * 2:
        listener(url=url, name="x")
    assert len(caplog.records) == told


def test_a_run_tells_where_else_its_file_sends(tmp_path: Path, serve: Callable[..., FaultServer]) -> None:
    """The warning names the origin and nothing of the address behind it."""
    endpoint, other = serve(), serve()
    elsewhere = f"{other.uri}?sig=a-signature-that-nobody-may-see"
    file = tmp_path / "mine.py"
    file.write_text(FILE.format(elsewhere=elsewhere, here=endpoint.uri))
    child = locust(tmp_path, "--host", endpoint.uri, "-u", "2", "-r", "10", "-t", "2s", files=str(file))
    _, said = finished(child)
    lines = [line for line in said.splitlines() if "which is not the endpoint under test" in line]
    assert len(lines) == 1, said
    assert other.uri.rpartition("/")[0] in lines[0]
    assert "signature" not in lines[0]
