"""An endpoint that is not ours: nginx with limit_conn before Microsoft's inference server and a real score.py."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

ROOT = Path(__file__).parents[2]
SERVER_PYTHON = Path(os.environ.get("REDLINE_AZUREML_PYTHON", ROOT / ".venv-azureml/bin/python"))
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
LIMIT_CONN = 3

SCORE = """
import json, threading

def init():
    pass

def run(raw_data):
    threading.Event().wait(0.03)
    return {"total": sum(map(sum, json.loads(raw_data)["data"]))}
"""

ON_LOOPBACK = "import azureml_inference_server_http.amlserver as s; s.DEFAULT_HOST = '127.0.0.1'; s.run()"

NGINX_CONF = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  limit_conn_zone $server_name zone=all:1m;
  server {{
    listen 127.0.0.1:{port}; server_name front;
    location / {{ limit_conn all {limit}; proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1; }}
  }}
}}
"""

pytestmark = [
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
    pytest.mark.skipif(not SERVER_PYTHON.exists(), reason="no inference server: make azureml-server"),
    pytest.mark.timeout(180),
]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for_health(url: str, process: subprocess.Popen[bytes]) -> None:
    """The server answers `GET /`; a connect alone succeeds before its workers have loaded the script."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback
                assert answer.status == 200
                return
        except (URLError, OSError):
            continue
    raise AssertionError(f"{url} never answered")


@pytest.fixture
def scoring_uri(tmp_path: Path) -> Iterator[str]:
    """nginx that lets LIMIT_CONN requests through to six workers."""
    (tmp_path / "score.py").write_text(SCORE)
    upstream, port = free_port(), free_port()
    arguments = ["--entry_script", str(tmp_path / "score.py"), "--port", str(upstream), "--worker_count", "6"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    server = subprocess.Popen([str(SERVER_PYTHON), "-c", ON_LOOPBACK, *arguments], env=environment, **quiet)  # type: ignore[call-overload]
    conf = tmp_path / "nginx.conf"
    conf.write_text(NGINX_CONF.format(folder=tmp_path, port=port, limit=LIMIT_CONN, upstream=upstream))
    assert NGINX is not None
    front = subprocess.Popen([NGINX, "-c", str(conf), "-p", str(tmp_path)], **quiet)  # type: ignore[call-overload]
    try:
        wait_for_health(f"http://127.0.0.1:{upstream}/", server)
        wait_for_health(f"http://127.0.0.1:{port}/", front)
        yield f"http://127.0.0.1:{port}/score"
    finally:
        for process in (front, server):
            process.terminate()
            process.wait(20)


def test_the_first_503_of_a_foreign_front_end_is_one_above_its_limit(scoring_uri: str, tmp_path: Path) -> None:
    """limit_conn 3: three users are the limit, and the fourth is the first to see a 503."""
    payload = tmp_path / "payload.json"
    payload.write_text('{"data": [[1, 2, 3]]}')
    command = ["limit", "--url", scoring_uri, "--payload", str(payload), "--max-users", "32", "--json", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "cli", *command, "--out", str(tmp_path / "run")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
    )
    document = json.loads(done.stdout)
    assert (document["verdict"], document["limits"][0]["users"]) == ("FOUND", LIMIT_CONN), done.stderr
    assert document["first_rejected_users"] == LIMIT_CONN + 1
    assert document["harm"]["rejected_count"] <= 150
