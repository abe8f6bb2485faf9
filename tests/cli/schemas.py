"""Whether a document of `--json` is what its committed schema promises."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.cli.terminal import ROOT


def faults(name: str, document: Any) -> list[str]:
    """Every place where the document breaks docs/schemas/NAME.schema.json."""
    return [f"{one.json_path}: {one.message}" for one in _validator(name).iter_errors(document)]


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_bytes()))
