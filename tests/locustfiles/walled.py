"""A load whose client runs into a wall of its own; prints the report. A program, so that walls end with it.

    python -m tests.locustfiles.walled FOLDER files|ports|name

`files`: the load generator may open few files; wants a user namespace, in which root may not lift that. `ports` and
`name` want a network namespace: in the first there are few local ports, in the second no name can be looked up.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from capacity.drive import run
from capacity.plan import Plan
from capacity.recorded import recorded
from capacity.runfolder import Anchor, create
from reports.jsonout import load_json
from reports.of_load import load_report
from scoring.endpoint import Endpoint
from tests.locustfiles.faultserver import FaultServer, answer

FILES, PORTS = 56, "40000 40015"
USERS, DURATION_S = 64, 0.5
SERVICE_S = 0.05
PORTS_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def walled(folder: Path, wall: str) -> str:
    """The report of a short load of 64 users, as `redline load --json` writes it."""
    slow = threading.Event()

    def behave(peer: Any, _request: bytes) -> bool:
        slow.wait(SERVICE_S)
        peer.sendall(answer())
        return True

    if wall in ("ports", "name"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    server = FaultServer(behave)
    uri = server.uri if wall != "name" else f"http://scoring.invalid:{server.port}/score"
    if wall == "ports":
        PORTS_FILE.write_text(PORTS)
    if wall == "files":
        server.close()
        uri = sys.argv[3]
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    plan = Plan("load", Endpoint("local", uri), users=USERS, duration_s=DURATION_S)
    made = create(folder, plan, versions={}, anchor=Anchor(datetime.now(UTC), time.monotonic_ns()))
    run(plan, made, environ={}, grant=None, on_progress=lambda _: None)
    report = load_report(recorded(made))
    return "" if report is None else load_json(report)


if __name__ == "__main__":
    sys.stdout.write(walled(Path(sys.argv[1]), sys.argv[2]))
