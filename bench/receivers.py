"""What arrives, and when, at receivers of notices that are down, busy or hanging for a while.

    python -m bench.receivers [--bad 120]

One endpoint is checked every second. It fails twice for twenty seconds, and a third time until after the end. Meanwhile
four receivers take nothing for --bad seconds: a webhook whose port is closed, one that answers 429 with
`Retry-After: 20`, one (by Apprise) that takes connections and answers nothing, and a mail server that says 450. All
servers are of this process, on 127.0.0.1. Prints one JSON document: for each receiver the attempts while it was bad,
the messages that came afterwards, each with the seconds since the receiver was well and the notices in it, and how
many came twice.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.monitor.health.mailserver import Mailbox, mailbox

ROOT = Path(__file__).parents[1]
LOOK_S = 0.1
MOST_AFTER_S = 120.0
OUTAGES_S = ((5.0, 25.0), (40.0, 60.0), (75.0, None))
HANG_S = 60.0


@dataclass
class Hook:
    """A webhook. `is_bad`: it does `fault` instead of taking anything."""

    fault: str  # "closed", "busy" or "silent"
    is_bad: bool = False
    attempt_count: int = 0  # while it was bad; a closed port sees none
    came: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    port: int = 0
    server: ThreadingHTTPServer | None = None
    ended: Event = field(default_factory=Event)

    def open(self) -> None:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if hook.is_bad:
                    hook.attempt_count += 1
                    if hook.fault == "silent":
                        hook.ended.wait(HANG_S)
                        return
                else:
                    hook.came.append((time.monotonic(), json.loads(body)))
                with suppress(OSError):
                    self.send_response(429 if hook.is_bad else 200)
                    self.send_header("Retry-After", "20")
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads, self.server.block_on_close = True, False
        self.port = self.server.server_address[1]
        Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def turn(self, is_bad: bool) -> None:
        self.is_bad = is_bad
        if self.fault == "closed" and is_bad:
            self.close()
        elif self.fault == "closed":
            self.open()


@contextmanager
def opened(fault: str) -> Iterator[Hook]:
    hook = Hook(fault)
    hook.open()
    try:
        yield hook
    finally:
        hook.ended.set()
        hook.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bad", type=float, default=120.0, help="seconds for which the receivers take nothing")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        endpoint = stack.enter_context(scoring())
        hooks = {fault: stack.enter_context(opened(fault)) for fault in ("closed", "busy", "silent")}
        box = stack.enter_context(mailbox())
        process = started(folder, endpoint.port, hooks, box)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        well_s = lived_through(endpoint, hooks, box, given.bad)
        print(json.dumps({**figures(hooks, well_s), "mail": mail_figures(box, well_s)}, indent=1))


@dataclass
class Endpoint:
    port: int = 0
    is_failing: bool = False


@contextmanager
def scoring() -> Iterator[Endpoint]:
    """An endpoint that answers 500 while it is failing."""
    told = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(500 if told.is_failing else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.port = server.server_address[1]
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


def started(folder: Path, port: int, hooks: dict[str, Hook], box: Mailbox) -> subprocess.Popen[bytes]:
    """`redline watch` with four channels."""
    checks = 'checks = { every = "1s", flap_changes = 9 }'
    (folder / "redline.toml").write_text(
        f'[endpoints.churn]\nscoring_uri = "http://127.0.0.1:{port}/score"\n{checks}\n'
        f'[alerts]\nwebhook = "http://127.0.0.1:{hooks["closed"].port}/"\nwebhook_env = "BUSY"\napprise_env = "REST"\n'
    )
    environ = {
        "BUSY": f"http://127.0.0.1:{hooks['busy'].port}/",
        "REST": f"json://127.0.0.1:{hooks['silent'].port} "
        f"mailto://127.0.0.1:{box.port}?from=redline@example.com&to=ops@example.com",
    }
    words = ["watch", "--config", str(folder / "redline.toml"), "--state", str(folder / "state"), "--for", "15m"]
    return subprocess.Popen([sys.executable, "-m", "cli", *words], cwd=ROOT, env={**os.environ, **environ})


def lived_through(endpoint: Endpoint, hooks: dict[str, Hook], box: Mailbox, bad_s: float) -> float:
    """When the receivers were well again, by the monotonic clock; then what waited has come, or time is up."""

    def turn(is_bad: bool) -> None:
        for hook in hooks.values():
            hook.turn(is_bad)
        box.replies = {"RCPT": "450 later"} if is_bad else {}

    def is_told() -> bool:
        return all(hook.came for hook in hooks.values()) and bool(box.got)

    turn(True)
    began_s = time.monotonic()
    while time.monotonic() - began_s < bad_s:
        now_s = time.monotonic() - began_s
        endpoint.is_failing = any(
            from_s <= now_s and (until_s is None or now_s < until_s) for from_s, until_s in OUTAGES_S
        )
        time.sleep(LOOK_S)
    turn(False)
    well_s = time.monotonic()
    while not is_told() and time.monotonic() - well_s < MOST_AFTER_S:
        time.sleep(LOOK_S)
    endpoint.is_failing = False
    wait_until(lambda: all(len(hook.came) > 1 for hook in hooks.values()) and len(box.got) > 1, well_s)
    return well_s


def wait_until(holds: Callable[[], bool], from_s: float) -> None:
    while not holds() and time.monotonic() - from_s < MOST_AFTER_S:
        time.sleep(LOOK_S)


def figures(hooks: dict[str, Hook], well_s: float) -> dict[str, Any]:
    found = {}
    for fault, hook in hooks.items():
        keys = [
            (one["key"], one["number"]) for _, body in hook.came for one in body.get("notices", [body]) if "key" in one
        ]
        messages = [
            {"after_s": round(at_s - well_s, 1), "title": body["title"], "notice_count": len(body.get("notices", [0]))}
            for at_s, body in hook.came
        ]
        found[fault] = {
            "attempt_count": hook.attempt_count,
            "messages": messages,
            "twice_count": len(keys) - len(set(keys)),
        }
    return found


def mail_figures(box: Mailbox, well_s: float) -> dict[str, Any]:
    messages = [
        {"after_s": round(at_s - well_s, 1), "title": one["Subject"], "line_count": len(one.get_content().splitlines())}
        for at_s, one in zip(box.got_s, box.messages, strict=True)
    ]
    return {"attempt_count": box.attempt_count - len(box.got), "messages": messages}


if __name__ == "__main__":
    main()
