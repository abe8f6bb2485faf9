"""What the telemetry process answers over HTTP, and the errors of the Logs API in Azure's shape. No I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `wait_s` passes before it is sent; with `hangs` it is never sent."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    wait_s: float = 0.0
    hangs: bool = False


class ApiError(Exception):
    """A request that Azure refuses. `inner` are the nested causes, outermost first."""

    def __init__(self, status: int, code: str, message: str, *inner: dict[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.inner = inner

    def document(self, correlation_id: str) -> dict[str, Any]:
        error: dict[str, Any] = {"message": self.message, "code": self.code, "correlationId": correlation_id}
        at = error
        for cause in self.inner:
            at["innererror"] = dict(cause)
            at = at["innererror"]
        return {"error": error}


def json_reply(document: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(status, json.dumps(document).encode(), headers=headers)


def bad_argument(*inner: dict[str, Any]) -> ApiError:
    return ApiError(400, "BadArgumentError", "The request had some invalid properties", *inner)
