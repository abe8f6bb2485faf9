"""The errors of the token issuer and of Azure's APIs, in the shape in which Azure sends them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from localazure.telemetry.replies import Reply, json_reply

_NO_STORE = (("Cache-Control", "no-store, no-cache"), ("Pragma", "no-cache"))


class SignInError(Exception):
    """A token request that the issuer refuses. `code` is the number after AADSTS."""

    def __init__(self, code: int, text: str, error: str = "invalid_client", status: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.error = error
        self.status = status or (401 if error == "invalid_client" else 400)


class ArmError(Exception):
    """A call that Azure Resource Manager, or a service behind it, refuses."""

    def __init__(self, status: int, code: str, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.headers = headers

    def reply(self) -> Reply:
        return json_reply({"error": {"code": self.code, "message": self.text}}, self.status, self.headers)


def sign_in_reply(error: SignInError, now_s: float, correlation_id: str | None) -> Reply:
    """The JSON that the issuer answers, with the trace ids that its people ask for."""
    trace_id, correlation_id = str(uuid4()), correlation_id or str(uuid4())
    stamp = f"{datetime.fromtimestamp(now_s, UTC):%Y-%m-%d %H:%M:%SZ}"
    ids = f"Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {stamp}"
    document = {
        "error": error.error,
        "error_description": f"AADSTS{error.code}: {error.text} {ids}",
        "error_codes": [error.code],
        "timestamp": stamp,
        "trace_id": trace_id,
        "correlation_id": correlation_id,
        "error_uri": f"https://login.microsoftonline.com/error?code={error.code}",
    }
    return json_reply(document, error.status, _NO_STORE)
