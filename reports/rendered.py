"""What every report comes to: a text, a JSON document, files, and the exit code they all agree on."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.errors import Exit


@dataclass(frozen=True, slots=True)
class Rendered:
    """`files` maps the name of each file to its text."""

    text: str
    json: str
    files: dict[str, str]
    exit_code: Exit
