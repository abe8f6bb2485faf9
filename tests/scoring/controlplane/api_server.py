"""An API on 127.0.0.1 that answers as it is told, and a credential that counts its tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from azure.core.credentials import AccessToken

from scoring.access import AzureAccess
from scoring.controlplane.clouds import cloud_of
from scoring.controlplane.rest import Rest


@dataclass(frozen=True)
class Reply:
    """One answer. `body` is sent as JSON unless it is bytes; `hangs` closes the connection without an answer."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False


@dataclass
class Api:
    """What came, in order: (method, path with query, Authorization, body)."""

    url: str
    replies: list[Reply]
    seen: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)

    @property
    def tokens(self) -> list[str]:
        return [authorization for _, _, authorization, _ in self.seen]


@dataclass
class Tokens:
    """A credential whose n-th token is `token-n`."""

    life_s: float = 3600
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def get_token(self, scope: str, *, claims: str | None = None, **_: Any) -> AccessToken:
        self.asked.append((scope, claims))
        return AccessToken(f"token-{len(self.asked)}", int(time.time() + self.life_s))


@contextmanager
def answering(*replies: Reply) -> Iterator[Api]:
    """A server that gives these answers in turn, the last one again and again."""
    api = Api("", list(replies))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            api.seen.append((self.command, self.path, self.headers.get("Authorization", ""), body))
            reply = api.replies.pop(0) if len(api.replies) > 1 else api.replies[0]
            if reply.hangs:
                self.close_connection = True
                return
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value.replace("HERE", api.url))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = handle_one

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def asking(api: Api, credential: Tokens | None = None, environ: Sequence[tuple[str, str]] = ()) -> Iterator[Rest]:
    """Azure's APIs at that server. Waits take no time and are noted in `api.waits_s`."""
    access = AzureAccess(arm_url=api.url, authority="https://login.local")
    with Rest(access, credential or Tokens(), cloud_of(access, dict(environ)), sleep=api.waits_s.append) as rest:
        yield rest
