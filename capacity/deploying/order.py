"""What the files of a deployment are filled in with. Holds names of secrets, never a secret."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scoring.cron import Cron
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError

_MARK = re.compile(r"@[A-Z_]+@")
_WORD = re.compile(r"[A-Za-z0-9._/:@-]+")


@dataclass(frozen=True, slots=True)
class Order:
    """One endpoint and how it is checked."""

    endpoint: Endpoint
    every_s: int  # between two checks; not used where `cron` is set
    cron: Cron | None
    variables: tuple[str, ...]  # that hold secrets or sign-in settings
    signs_in: bool  # the credential comes from Azure
    version: str
    image: str
    files: tuple[str, ...]  # relative to redline.toml, itself first

    @property
    def name(self) -> str:
        return self.endpoint.name

    @property
    def slug(self) -> str:
        """The endpoint's name as a name of Kubernetes: lower case, digits and dashes, 40 characters at most."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")[:40].strip("-")


@dataclass(frozen=True, slots=True)
class Files:
    """Path below the folder → text, and what the reader should know."""

    texts: dict[str, str]
    notes: tuple[str, ...] = ()


def filled(template: str, **values: str) -> str:
    """The template with every @NAME@ replaced; a line that holds a mark of an empty value alone is left out."""
    lines = []
    for line in template.splitlines():
        mark = line.strip()
        if _MARK.fullmatch(mark) and not values[mark.strip("@").lower()]:
            continue
        lines.append(_MARK.sub(lambda found: values[found.group().strip("@").lower()], line))
    return "\n".join(lines) + "\n"


def checked_image(image: str) -> str:
    """The image as given, when it can be one; else RedlineError."""
    if _WORD.fullmatch(image) is None:
        raise RedlineError("--image holds characters that no image name has", "--image registry.example/redline:0.1.0")
    return image
