"""One HTTP request to an inference server on 127.0.0.1, over a connection of its own: it closes each after one answer.

Requests go out as HTTP/1.0, so that an answer is never chunked and ends with its connection.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

from localazure.answers import Ids
from localazure.http1 import MAX_BODY_BYTES, Request
from localazure.model import MS, ModelAnswer

_OWN_HEADERS = frozenset(
    {
        *("connection", "content-length", "content-type", "date", "keep-alive", "server", "transfer-encoding"),
        *("x-ms-client-request-id", "x-ms-request-id", "x-request-id"),
        *("x-ms-run-fn-exec-ms", "x-ms-run-function-failed"),
    }
)
_NOT_FORWARDED = frozenset(
    {
        *("authorization", "connection", "content-length", "expect", "host", "keep-alive", "te", "transfer-encoding"),
        *("upgrade", "x-ms-client-request-id", "x-ms-request-id", "x-request-id"),
    }
)


async def scored(port: int, request: Request, ids: Ids) -> ModelAnswer:
    """What the server on `port` answers to the request. Raises OSError, EOFError or ValueError when it does not."""
    headers = [(name, value) for name, value in request.headers.items() if name not in _NOT_FORWARDED]
    headers.append(("x-request-id", ids.request))
    if ids.client is not None:
        headers.append(("x-ms-client-request-id", ids.client))
    target = "/score" + (f"?{request.query}" if request.query else "")
    status, answered, body = await fetch(port, request.method, target, headers, request.body)
    exec_ms = answered.get("x-ms-run-fn-exec-ms")
    return ModelAnswer(
        status,
        body,
        answered.get("content-type", "application/octet-stream"),
        run_failed=answered.get("x-ms-run-function-failed", "").lower() == "true",
        exec_ns=None if exec_ms is None else round(float(exec_ms) * MS),
        headers=tuple((name, value) for name, value in answered.items() if name not in _OWN_HEADERS),
    )


async def fetch(
    port: int, method: str, target: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers with lower-case names, whole body. Raises OSError, EOFError or ValueError for anything less."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = [f"{method} {target} HTTP/1.0", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        received = bytearray()
        while part := await reader.read(65_536):
            received += part
            if len(received) > MAX_BODY_BYTES:
                raise ValueError("the answer is too large")
    finally:
        writer.close()
    return parse_answer(bytes(received))


def parse_answer(received: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer that ended with its connection. Raises EOFError when it is cut."""
    head, end, body = received.partition(b"\r\n\r\n")
    match = re.match(r"HTTP/1\.[01] (\d{3})", head.decode("latin-1"))
    if not end or not match:
        raise EOFError("the connection closed before a whole answer")
    lines = [line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:]]
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    if len(body) < int(headers.get("content-length", "0")):
        raise EOFError("the connection closed within the body")
    return int(match[1]), headers, body


async def swagger_documents(port: int) -> dict[str, bytes]:
    """By version, those that the server on `port` has."""
    documents = {}
    for version in ("2", "3", "3.1"):
        try:
            status, _, body = await fetch(port, "GET", f"/swagger.json?version={version}")
        except (OSError, EOFError, ValueError):
            continue
        if status == 200:
            documents[version] = body
    return documents
