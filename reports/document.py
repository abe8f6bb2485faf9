"""A document that other programs read, as JSON."""

from __future__ import annotations

import json
import math
from typing import Any

SCHEMA = 1


def document_text(document: dict[str, Any]) -> str:
    """A JSON document; what JSON cannot say is null."""
    return json.dumps(_finite(document), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: both are absent knowledge. Floats keep nine significant digits."""
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
