"""The watcher over HTTP: what it serves, and that a loop that stands still is not shown as well."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest

from monitor.health.listening import STALLED_S, Board, listening


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Board, str]]:
    """One board, and where it is served."""
    board = Board()
    with listening("127.0.0.1:0", board) as address:
        assert address is not None
        yield board, address.removeprefix("http://")


@pytest.fixture
def board(served: tuple[Board, str]) -> Board:
    """The board as a watcher that has just begun leaves it."""
    served[0].publish("redline_incidents_open 0\n")
    served[0].show("", "", "")
    return served[0]


@pytest.fixture
def address(served: tuple[Board, str], board: Board) -> str:
    return served[1]


def asked(address: str, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def test_a_page_that_is_not_written_yet_is_no_page(address: str) -> None:
    """503 until there is one, and 404 names what there is."""
    assert (asked(address, "/")[0], asked(address, "/status.json")[0], asked(address, "/last")[0]) == (503, 503, 503)
    assert asked(address, "/nothing")[::2] == (404, "/, /status.json, /healthz and /metrics\n")


def test_the_page_and_its_twin_are_served_as_they_were_shown(board: Board, address: str) -> None:
    """HTML and JSON, never stored, under a policy that lets nothing run."""
    board.show("<!doctype html><p>well</p>", "p {}", '{"schema":1}\n')
    status, headers, text = asked(address, "/")
    assert (status, text, headers["Content-Type"]) == (200, "<!doctype html><p>well</p>", "text/html; charset=utf-8")
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Refresh" not in headers
    assert asked(address, "/status.json")[2] == '{"schema":1}\n'
    status, headers, text = asked(address, "/status.css")
    assert (status, headers["Content-Type"], text) == (200, "text/css; charset=utf-8", "p {}")


def test_head_has_the_headers_alone(board: Board, address: str) -> None:
    """A load balancer that asks by HEAD is answered."""
    board.show("<p>", "p {}", "{}")
    status, headers, text = asked(address, "/", "HEAD")
    assert (status, headers["Content-Length"], text) == (200, "3", "")


@pytest.mark.parametrize(
    ("path", "refresh"),
    [("/?refresh=60", "60"), ("/?refresh=0", "5"), ("/?refresh=-1", None), ("/?refresh=9%0d%0aX:1", None)],
)
def test_a_wall_display_may_ask_for_the_page_again(board: Board, address: str, path: str, refresh: str | None) -> None:
    """Only whole seconds, five at least, and nothing else of the address reaches a header."""
    board.show("<p>", "p {}", "{}")
    status, headers, _ = asked(address, path)
    assert (status, headers.get("Refresh"), "X" in headers) == (200, refresh, False)


def test_a_loop_that_stands_still_is_not_shown_as_well(board: Board, address: str) -> None:
    """503 in place of the page, which would mislead; what it said last is still to be had."""
    board.show("<p>all well", "p {}", "{}")
    board.pulse_s -= STALLED_S
    status, _, text = asked(address, "/")
    assert (status, "stood still for 30 s" in text, "all well" in text) == (503, True, False)
    assert (asked(address, "/healthz")[0], asked(address, "/status.json")[0]) == (503, 503)
    assert asked(address, "/last")[::2] == (200, "<p>all well")
