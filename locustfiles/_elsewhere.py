"""Other user classes of the same file: whoever runs it is told when they send to another place than the endpoint."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from scoring.text import harmless

MOST_TOLD = 20

logger = logging.getLogger("redline")


class Elsewhere:
    """Listens to every request, and warns once for each foreign origin. The endpoint's own is no news."""

    def __init__(self, scoring_uri: str) -> None:
        self._known = {_origin(scoring_uri)}

    def __call__(self, url: Any = None, **_: Any) -> None:
        origin = _origin(str(url or ""))
        if origin is None or origin in self._known or len(self._known) > MOST_TOLD:
            return
        self._known.add(origin)
        place = harmless(f"{origin[0]}://{origin[1]}" + (f":{origin[2]}" if origin[2] else ""), max_chars=200)
        logger.warning("requests of this file go to %s, which is not the endpoint under test", place)


def watch_others(environment: Any, scoring_uri: str, ours: type) -> None:
    """Where the file has user classes that are none of ours, their requests are watched. A second call adds nothing."""
    request = environment.events.request
    is_watched = any(isinstance(each, Elsewhere) for each in request._handlers)
    if not is_watched and any(not issubclass(each, ours) for each in environment.user_classes):
        request.add_listener(Elsewhere(scoring_uri))


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port of an absolute address; None for a path, and for what cannot be read."""
    try:
        split = urlsplit(url)
        return (split.scheme, split.hostname, split.port) if split.hostname else None
    except ValueError:
        return None
