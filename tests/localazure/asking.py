"""The real clients of Azure Monitor, pointed at the local endpoint by its ready file."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken
from azure.monitor.query import LogsQueryClient
from azure.monitor.querymetrics import MetricsClient

AUDIENCE = "https://api.loganalytics.io"
TRIES = 200


def static_token(ready: dict[str, Any]) -> str:
    """The token that is good for logs and metrics as long as the endpoint is."""
    if "config" not in ready:
        return "a-token"  # of servers that know no issuer
    config = tomllib.loads(Path(ready["config"]).read_text())
    return Path(config["endpoints"]["local"]["azure_token_file"]).read_text().strip()


@dataclass
class StaticToken:
    """A credential whose token never changes."""

    ready: dict[str, Any]

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken(static_token(self.ready), int(time.time()) + 3600)


@dataclass
class Asking:
    """Asks about one endpoint. Close it, or its sockets warn."""

    ready: dict[str, Any]
    _opened: list[Any] = field(default_factory=list)

    def logs(self) -> LogsQueryClient:
        client = LogsQueryClient(
            StaticToken(self.ready),
            endpoint=self.ready["logs_url"],
            audience=AUDIENCE,
            connection_verify=self.ready["ca_file"],
            retry_total=0,
        )
        self._opened.append(client)
        return client

    def metrics(self) -> MetricsClient:
        client = MetricsClient(
            self.ready["metrics_url"], StaticToken(self.ready), connection_verify=self.ready["ca_file"], retry_total=0
        )
        self._opened.append(client)
        return client

    def rows(self, kql: str, timespan: timedelta | None = None) -> list[list[Any]]:
        result = self.logs().query_workspace(self.ready["workspace_id"], kql, timespan=timespan)
        return [list(row) for row in result.tables[0].rows]

    def rows_once(self, kql: str, is_enough: Callable[[list[list[Any]]], bool]) -> list[list[Any]]:
        """The rows as soon as they are enough; those of the last of a bounded number of tries otherwise."""
        rows: list[list[Any]] = []
        for _ in range(TRIES):
            rows = self.rows(kql)
            if is_enough(rows):
                break
            time.sleep(0.05)
        return rows

    def rows_settled(self, kql: str) -> list[list[Any]]:
        """The rows once they are some and have not changed for half a second, in a bounded number of tries."""
        seen: list[list[Any]] = []
        same_count = 0
        for _ in range(TRIES):
            rows = self.rows(kql)
            same_count = same_count + 1 if rows == seen and rows != [[0]] else 0
            seen = rows
            if same_count == 10:
                break
            time.sleep(0.05)
        return seen

    def count_once(self, kql: str, count: int) -> int:
        """The one number of the answer, once it is at least `count`."""
        rows = self.rows_once(kql, lambda rows: bool(rows) and (rows[0][0] or 0) >= count)
        return int(rows[0][0] or 0)

    def raw(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        *,
        has_token: bool = True,
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON and headers of a request to the query listener, without a client library."""
        context = ssl.create_default_context(cafile=self.ready["ca_file"])
        address = urlsplit(self.ready["logs_url"])
        connection = http.client.HTTPSConnection("127.0.0.1", address.port, context=context, timeout=30)
        sent = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {static_token(self.ready)}"} if has_token else {}
        )
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, sent | (headers or {}))
            answer = connection.getresponse()
            text = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, json.loads(text) if text else None, found
        finally:
            connection.close()

    def query_raw(self, kql: object, **more: object) -> tuple[int, Any]:
        path = f"/v1/workspaces/{self.ready['workspace_id']}/query"
        status, document, _ = self.raw("POST", path, {"query": kql, **more})
        return status, document

    def send(self, body: bytes, path: str = "/v2.1/track", **headers: str) -> tuple[int, dict[str, Any]]:
        """The answer of the ingestion listener."""
        address = urlsplit(self.ready["ingestion_url"])
        connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("POST", path, body, {"Content-Type": "application/json"} | named)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    @property
    def instrumentation_key(self) -> str:
        text: str = self.ready["connection_string"]
        return text.partition("InstrumentationKey=")[2].partition(";")[0]

    def close(self) -> None:
        for client in self._opened:
            client.close()
