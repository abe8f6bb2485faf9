"""Edge: fetches credentials for a process that must not be disturbed by it: `python -m scoring.renewing`.

It is told what to fetch on its standard input and answers on its standard output, one JSON object a line, and ends when
its input closes. Credentials travel through these two pipes alone: in no argument, environment, file or log.

    → {"endpoint": {…}, "environ": {…}}    once
    → {"number": 7}                        a credential is wanted
    ← {"number": 7, "grant": {…} | null}   or {"number": 7, "error": "…", "hint": "…"}
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, BinaryIO

from scoring.endpoint import Endpoint, endpoint_as_json, endpoint_from
from scoring.errors import Exit, RedlineError
from scoring.grant import Grant


def told_first(endpoint: Endpoint, environ: Mapping[str, str]) -> bytes:
    """The line that says what to fetch: where from, and the variables that signing in may need."""
    return _line({"endpoint": endpoint_as_json(endpoint), "environ": dict(environ)})


def asked(number: int) -> bytes:
    """The line that asks for a credential."""
    return _line({"number": number})


def answered(line: bytes) -> tuple[int, Grant | RedlineError | None] | None:
    """The number and what came of it; None for a line that is no answer."""
    try:
        document = json.loads(line)
        number = int(document["number"])
        if "error" in document:
            return number, RedlineError(str(document["error"]), document.get("hint"), Exit.NO_ENTRY)
        return number, grant_from(document["grant"])
    except (ValueError, TypeError, KeyError):
        return None


def grant_as_json(grant: Grant | None) -> dict[str, Any] | None:
    """Plain values, the secret among them: for a pipe, never for a file."""
    return None if grant is None else asdict(grant)


def grant_from(document: dict[str, Any] | None) -> Grant | None:
    """The grant that `grant_as_json` wrote."""
    return None if document is None else Grant(**document)


def serve(asking: BinaryIO, answering: BinaryIO) -> None:
    """Every question has been answered, in order, until no more come."""
    from scoring.granting import scoring_source

    first = json.loads(asking.readline())
    os.environ.update(first["environ"])
    source = scoring_source(endpoint_from(first["endpoint"]), os.environ)
    for line in asking:
        number = json.loads(line)["number"]
        try:
            said: dict[str, Any] = {"grant": grant_as_json(source.fetch())}
        except RedlineError as error:
            said = {"error": error.message, "hint": error.hint}
        answering.write(_line({"number": number, **said}))
        answering.flush()


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


def main() -> None:
    """Serves the pipes it was started with; whatever else a library prints goes nowhere."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks, which then closes the pipe
    answering = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answering)


if __name__ == "__main__":
    main()
