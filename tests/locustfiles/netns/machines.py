"""Machines of a test: network namespaces on a bridge of their own, each perhaps with a clock of its own.

Machine 0 has the local endpoint, which others reach through a relay, and Locust's master; the others carry workers.
Nothing here can reach the network of the host: the namespaces have no way out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from capacity.plan import Plan
from capacity.runfolder import Anchor, create
from scoring.endpoint import Endpoint

ROOT = Path(__file__).parents[3]
RELAY = Path(__file__).with_name("relay.py")
HERE, PORT, MASTER_PORT, SECONDS = "10.77.0.1", 8080, 5557, 400
TRIES = 600


def missing() -> str | None:
    """Why no machines can be made here; None where they can."""
    for tool in ("ip", "unshare"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    pair = ["ip", "link", "add", "near0", "type", "veth", "peer", "name", "far0"]
    done = subprocess.run(["unshare", "--net", "--time", "--monotonic", "1", *pair], capture_output=True, text=True)
    return None if done.returncode == 0 else f"namespaces cannot be made here: {done.stderr.strip()}"


@dataclass
class Machines:
    """`folder` is the disk that all of them share."""

    folder: Path
    names: list[str]
    run: Path | None = None
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def on(self, number: int, command: Sequence[str], *, ahead_s: int = 0, log: str = "", **env: str) -> Any:
        """The command as a child on that machine, whose monotonic clock is so many seconds ahead."""
        clock = ["unshare", "--time", "--monotonic", str(ahead_s), "--boottime", str(ahead_s)] if ahead_s else []
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOCUST", "REDLINE"))}
        with (self.folder / (log or "log.txt")).open("ab") as said:
            child = subprocess.Popen(
                ["ip", "netns", "exec", self.names[number], *clock, *command],
                cwd=self.folder,
                env=kept | {"PYTHONPATH": str(ROOT), "HOME": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"} | env,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        self.children.append(child)
        return child

    def serve(self, *flags: str) -> None:
        """The local endpoint takes requests at HERE:PORT."""
        ready = self.folder / "ready.json"
        command = [sys.executable, "-m", "localazure", *flags, "--ready-file", str(ready), "--for", f"{SECONDS}s"]
        self.on(0, [*command, "--no-telemetry", "--no-identity", "--stop-with-parent"], log="serve.txt")
        until(ready.exists)
        told = json.loads(ready.read_text())
        (self.folder / "key.txt").write_text(told["key"])
        port = told["scoring_uri"].rpartition(":")[2].partition("/")[0]
        self.on(0, [sys.executable, str(RELAY), HERE, str(PORT), port, str(SECONDS)], log="relay.txt")
        path = "/" + told["scoring_uri"].partition("://")[2].partition("/")[2]
        endpoint = Endpoint(
            "far", f"http://{HERE}:{PORT}{path}", auth="key", key_file=str(self.folder / "key.txt"), hosting="aks"
        )
        self._endpoint = endpoint

    def plan(self, **wishes: Any) -> Path:
        """The run folder of a search with these wishes."""
        plan = Plan("limit", self._endpoint, **{"max_users": 32, "budget_s": 90.0, **wishes})
        self.run = create(self.folder, plan, versions={}, anchor=Anchor(datetime.now(UTC), time.monotonic_ns()))
        return self.run

    def master(self, workers: int) -> Any:
        """Locust's master, waiting for so many workers."""
        return self._locust(0, "--master", "--master-bind-host", HERE, "--expect-workers", str(workers))

    def worker(self, number: int, *, before: Sequence[str] = (), ahead_s: int = 0) -> Any:
        """A worker on that machine."""
        more = ("--worker", "--master-host", HERE)
        return self._locust(number, *more, before=before, ahead_s=ahead_s)

    def served_count(self) -> int:
        """Requests that the endpoint says it has answered; asked on its own machine."""
        place = urlsplit(json.loads((self.folder / "ready.json").read_text())["scoring_uri"]).netloc
        asks = "import json, sys, urllib.request as web; print(json.load(web.urlopen(sys.argv[1]))['requests'])"
        command = ["ip", "netns", "exec", self.names[0], sys.executable, "-c", asks, f"http://{place}/redline/stats"]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    def said(self) -> str:
        """What every child has said so far."""
        return "\n".join(file.read_text(errors="replace") for file in sorted(self.folder.glob("*.txt")))

    def _locust(self, number: int, *more: str, before: Sequence[str] = (), ahead_s: int = 0) -> Any:
        locustfile = str(ROOT / "locustfiles" / "find_limit.py")
        quiet = ["--headless", "--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "0"]
        port = "--master-bind-port" if "--master" in more else "--master-port"
        command = [*before, sys.executable, "-P", "-m", "locust", "-f", locustfile, *quiet, *more, port]
        kept = [*command, str(MASTER_PORT), "--run-folder", str(self.run)]
        return self.on(number, kept, ahead_s=ahead_s, log=f"locust-{number}.txt")


@contextmanager
def machines(folder: Path, count: int) -> Iterator[Machines]:
    """So many machines that reach each other; everything on them is ended, and they are gone, at the end."""
    names = [f"rl{os.getpid()}-{number}" for number in range(count)]
    with ExitStack() as undo:
        made = Machines(folder, names)
        for name in names:
            ip("netns", "add", name)
            undo.callback(ip, "netns", "del", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", names[0], "link", "add", "br0", "type", "bridge")
        ip("-n", names[0], "addr", "add", f"{HERE}/24", "dev", "br0")
        ip("-n", names[0], "link", "set", "br0", "up")
        for number, name in enumerate(names[1:], 1):
            near = f"near{number}"
            ip("-n", names[0], "link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", names[0], "link", "set", near, "master", "br0", "up")
            ip("-n", name, "addr", "add", f"10.77.0.{10 + number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        undo.callback(_end, made.children)
        yield made


def ip(*arguments: str) -> None:
    """The ip command has done it."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def until(done: Any, tries: int = TRIES, every_s: float = 0.1) -> None:
    """Comes back once `done()` is true, or fails after a bounded number of tries."""
    for _ in range(tries):
        if done():
            return
        time.sleep(every_s)
    raise AssertionError("it did not come about")


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.kill()
    for child in children:
        child.wait()
