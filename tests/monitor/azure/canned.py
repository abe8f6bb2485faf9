"""A Logs query service over a real socket that answers each shipped question as a test says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from azure.core.credentials import AccessToken

from monitor import azure
from monitor.kql import question, question_names
from scoring.account import OUTCOMES
from scoring.endpoint import Endpoint, Hosting
from scoring.served import Source
from scoring.told import Told

UNTIL_AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
SINCE_AT = UNTIL_AT - timedelta(hours=1)
WORKSPACE_ID = "00000000-0000-0000-0000-000000000001"
ENDPOINT_ID = "/subscriptions/s/resourceGroups/g/providers/x/workspaces/w/onlineEndpoints/churn"
JSON = {"Content-Type": "application/json"}
PARTIAL = {"error": {"code": "PartialError", "message": "There were some errors", "details": []}}
COMPONENT_ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/components/c"


class AnyToken:
    """A credential whose token never changes."""

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken("a-token", int(time.time()) + 3600)


@dataclass(frozen=True)
class Reply:
    """`status` None: the connection is cut without an answer."""

    status: int | None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def table(name: str, *rows: Sequence[Any], more: Mapping[str, Any] | None = None) -> Reply:
    """A 200 with these rows of the question."""
    columns = [{"name": column, "type": kind} for column, kind in question(name).columns]
    answer = {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": list(rows)}], **(more or {})}
    return Reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})


def error(status: int, *codes: str, message: str = "", **headers: str) -> Reply:
    """An error as the service nests it, the innermost code last."""
    nested: dict[str, Any] = {}
    for code in reversed(codes):
        nested = {"code": code, "message": message or code, **({"innererror": nested} if nested else {})}
    named = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps({"error": nested}).encode(), named)


def watermark(name: str, count: int = 0) -> Reply:
    """As of the end of the period; rows took two minutes."""
    last_at = "2026-11-22T11:50:00Z" if count else None
    return table(name, [count, last_at, last_at, last_at, 120_000.0 if count else None, "2026-11-22T12:00:00Z"])


def counts(name: str, *cells: tuple[str, int]) -> Reply:
    """Codes and how many, all at 11:50, each of 12.5 ms."""
    ends = ["2026-11-22T11:50:00Z", "2026-11-22T11:50:00Z"]
    more = [0, 0, 1] if name == "requests_counts" else []
    return table(name, *(["2026-11-22T11:50:00Z", "blue", code, 127, n, 12.5, *ends, *more] for code, n in cells))


@dataclass
class Canned:
    """`replies`: by question, in the order of asking; the last one stays. What is not named has no rows."""

    url: str
    replies: dict[str, list[Reply]]
    asked: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    slept_s: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reply(self, path: str, query: str) -> Reply:
        name = next(name for name in question_names() if query.endswith(question(name).text))
        with self._lock:
            self.asked.append(name)
            self.paths.append(path)
            self.queries.append(query)
            left = self.replies.get(name, self.replies.get("*", []))
            if left:
                return left.pop(0) if len(left) > 1 else left[0]
        return watermark(name) if name.endswith("_watermark") else table(name)

    def endpoint(self, **more: Any) -> Endpoint:
        given: dict[str, Any] = {"hosting": Hosting.MANAGED, "workspace_id": WORKSPACE_ID, "logs_url": self.url}
        return Endpoint("churn", "https://churn.example/score", **(given | more))

    def tell(self, ids: Sequence[str] = (), since_at: datetime = SINCE_AT, **more: Any) -> Told:
        endpoint = self.endpoint(**more)
        return azure.tell(
            endpoint, since_at, UNTIL_AT, credential=AnyToken(), lookup_ids=ids, sleep=self.slept_s.append
        )


@contextmanager
def serving(replies: Mapping[str, Reply | Sequence[Reply]]) -> Iterator[Canned]:
    """The service answers on 127.0.0.1 until the end of the block."""
    lists = {name: [one] if isinstance(one, Reply) else list(one) for name, one in replies.items()}
    canned = Canned("", lists)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = canned.reply(self.path, json.loads(body)["query"])
            if reply.status is None:
                self.close_connection = True
                return
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    canned.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield canned
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def outcomes(told: Told) -> dict[Source, str]:
    """What became of each source, every problem told in full."""
    assert all(one.outcome in OUTCOMES and one.sentence and one.next_step for one in told.problems)
    return {one.source: one.outcome for one in told.problems}


def lets(query: str) -> dict[str, str]:
    """The values in front of a query."""
    lines = [line for line in query.splitlines() if line.startswith("let ") and line.endswith(";")]
    return {name: value for name, _, value in (line[4:-1].partition(" = ") for line in lines)}
