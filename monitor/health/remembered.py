"""Standings as JSON texts and back: what the history keeps over a restart."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from monitor.health.deciding import Open, Row, Standing
from scoring.health import Health

_ROWS = ("failed", "bad", "dark", "good")


def standing_text(standing: Standing) -> str:
    """The standing as one JSON text; `standing_of` reads it back."""
    return json.dumps(asdict(standing), separators=(",", ":"))


def standing_of(text: str) -> Standing:
    """The standing that `standing_text` wrote. Unknown keys are dropped, so that a later version's can be read."""
    document: dict[str, Any] = json.loads(text)
    values = {one.name: document[one.name] for one in fields(Standing) if one.name in document}
    for name in _ROWS:
        values[name] = Row(**values[name])
    for name in ("state", "last"):
        values[name] = Health(values[name])
    values["opened_s"] = tuple(values.get("opened_s", ()))
    incident = values.get("incident")
    if incident is not None:
        values["incident"] = Open(**{**incident, "state": Health(incident["state"])})
    return Standing(**values)
