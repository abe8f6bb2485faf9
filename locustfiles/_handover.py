"""Edge: what the process that started Locust hands over on a pipe: credentials stand in no environment of ours."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from scoring.grant import Grant
from scoring.renewing import grant_from

FD_VARIABLE = "REDLINE_HANDOVER_FD"


@dataclass(frozen=True, slots=True)
class Handover:
    """The environment with the variables that the credential may need, and the first grant if there is one."""

    environ: Mapping[str, str] = field(repr=False)
    has_grant: bool = False
    grant: Grant | None = None


@cache
def taken() -> Handover:
    """What was handed over, read once per process and kept in memory; without a pipe the environment alone."""
    text = os.environ.get(FD_VARIABLE, "")
    if not text.isdigit():
        return Handover(os.environ)
    with open(int(text), "rb") as pipe:
        document = json.loads(pipe.read() or b"{}")
    environ = {**os.environ, **document.get("environ", {})}
    return Handover(environ, "grant" in document, grant_from(document.get("grant")))
