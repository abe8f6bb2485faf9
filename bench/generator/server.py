"""nginx, answering every POST at once with 44 bytes of JSON, and counting what it was asked.

/score answers the same bytes every time, /fresh never the same twice.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ANSWER = '{"result": [0.1234567, 0.7654321, 0.111111]}'
CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /score {{ default_type application/json; return 200 '{answer}'; }}
    location = /fresh {{ default_type application/json; return 200 '{{"id": "$request_id"}} '; }}
    location = /status {{ stub_status; }}
  }}
}}
"""


@dataclass(frozen=True)
class Server:
    """A running nginx."""

    port: int
    pid: int = 0

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/score"

    def cpu_s(self) -> float:
        """Processor time of the worker since its start."""
        worker = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()[0]
        fields = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def request_count(self) -> int:
        """Every request so far, the ones for this number included."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/status")
        found = re.search(rb"\n (\d+) (\d+) (\d+)", connection.getresponse().read())
        connection.close()
        assert found is not None
        return int(found[3])


@contextlib.contextmanager
def nginx(folder: Path, pin: tuple[str, ...]) -> Iterator[Server]:
    """Runs until the end of the block; `pin` stands before its command."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, answer=ANSWER))
    command = [*pin, "nginx", "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    server = Server(port, process.pid)
    try:
        _wait_for(server, process)
        yield server
    finally:
        process.terminate()
        process.wait()


def _wait_for(server: Server, process: subprocess.Popen[str]) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError):
            server.request_count()
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    process.terminate()
    raise SystemExit(f"nginx did not start:\n{process.communicate()[1]}")
