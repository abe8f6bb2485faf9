"""Edge: packages of redline as one archive that Python imports from, the same bytes for the same sources."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent
_WHEN = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = ("__pycache__",)


def write_archive(file: Path, packages: Sequence[str]) -> None:
    """The archive holds every file of the packages, and nothing that Python made of them. Raises OSError."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for package in packages for path in (SOURCES / package).rglob("*")):
            if path.is_file() and not set(path.parts) & set(_LEFT_OUT):
                entry = zipfile.ZipInfo(path.relative_to(SOURCES).as_posix(), _WHEN)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
