"""Edge: the service log of an endpoint as Azure's control plane gives it: v1 logs, or v2 getLogs per deployment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from monitor.overlap import fresh_lines
from monitor.servicelog.entries import Entries, LogEntry, OncePerRequest, is_wanted
from scoring.controlplane.calls import CONTAINERS, logs_of
from scoring.controlplane.finding import deployed_at
from scoring.controlplane.ids import V1, arm_id_of
from scoring.controlplane.rest import Rest
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.text import harmless

ASK_AGAIN_S = 3.0
"""Between two looks at a log that is followed."""
MOST_LINES = 5_000
NAMES = dict(zip(("inference-server", "storage-initializer"), CONTAINERS, strict=True))
"""Containers by the names that Log Analytics has for them, and those of the API."""
LOGS_BEGIN = "Container logs:"
"""The line that ends what getLogs tells of the instance before the log itself."""
_MOST_HEAD_LINES = 500

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """Which log of the endpoint. Without a deployment: of each that answers requests."""

    deployment: str | None = None
    container: str = "inference-server"
    tail_count: int = MOST_LINES


class EndpointLog:
    """Owns what was last seen of each deployment's log. The first look is taken at once: it may be refused."""

    def __init__(self, rest: Rest, endpoint: Endpoint, part: Part, say: Say) -> None:
        self._rest = rest
        self._endpoint = endpoint
        self._part = part
        self._say = say
        self._seen: dict[str | None, list[str]] = {}
        self._first = {name: self._lines(name) for name in _deployments(rest, endpoint, part)}
        if not any(self._first.values()):
            say(f"the log of {part.container} of `{endpoint.name}` has no line yet")

    def entries(
        self,
        *,
        status: str | None = None,
        since_at: datetime | None = None,
        pattern: str | None = None,
        follow: bool = False,
        with_payloads: bool = False,
    ) -> Iterator[LogEntry]:
        """The entries that are wanted, deployment by deployment in order; with `follow`, without end."""
        wanted = is_wanted(status, since_at, pattern)
        readers = {name: _Reader(with_payloads, is_once=status is not None) for name in self._first}
        looks = self._first
        while True:
            for name, lines in looks.items():
                fresh = self._fresh(name, lines)
                yield from (entry for entry in readers[name].read(fresh) if wanted(entry))
            if not follow:
                return
            time.sleep(ASK_AGAIN_S)
            looks = {name: self._lines(name) for name in self._first}

    def _lines(self, name: str | None) -> list[str]:
        container = NAMES[self._part.container]
        content = logs_of(self._rest, self._endpoint, deployment=name, container=container, tail=self._part.tail_count)
        return content.removesuffix("\n").split("\n") if content else []

    def _fresh(self, name: str | None, lines: list[str]) -> list[str]:
        """What was not seen before; of the instance's own lines before the log, those of the first look."""
        head, log = _parted(lines)
        if name not in self._seen:
            if len(self._first) > 1:
                self._say(f"deployment `{harmless(name or '', max_chars=100)}`")
            self._seen[name] = log
            return [*head, *log]
        fresh, has_gap = fresh_lines(self._seen[name], log)
        if has_gap:
            self._say(f"the log grew by more than {self._part.tail_count:,} lines, or began anew: some may be missing")
        self._seen[name] = log
        return list(fresh)


class _Reader:
    """Owns the entries of one log that is read piece by piece."""

    def __init__(self, with_payloads: bool, *, is_once: bool) -> None:
        self._entries = Entries(with_payloads=with_payloads)
        self._once = OncePerRequest() if is_once else None
        self._number = 0

    def read(self, lines: list[str]) -> Iterator[LogEntry]:
        for line in lines:
            self._number += 1
            yield from self._told(self._entries.take(self._number, line.encode(errors="backslashreplace")))
        yield from self._told(self._entries.flush())

    def _told(self, entry: LogEntry | None) -> Iterator[LogEntry]:
        if entry is not None and not (self._once is not None and self._once.is_second(entry)):
            yield entry


def _deployments(rest: Rest, endpoint: Endpoint, part: Part) -> list[str | None]:
    """The deployments whose logs are read; one without a name for a web service of SDK v1."""
    if arm_id_of(endpoint).kind == V1:
        if part.deployment is not None:
            message = f"`{endpoint.name}` is a web service of SDK v1, which has no deployments"
            raise RedlineError(message, "leave --deployment out")
        return [None]
    named = part.deployment or endpoint.deployment
    if named is not None:
        return [named]
    found = deployed_at(rest, endpoint)
    names: list[str | None] = [one.name for one in found.deployments if one.traffic_percent] or [
        one.name for one in found.deployments
    ]
    if not names:
        raise RedlineError(
            f"`{endpoint.name}` has no deployment, so there is no log", f"redline doctor {endpoint.name}"
        )
    return names


def _parted(lines: list[str]) -> tuple[list[str], list[str]]:
    """What is told of the instance, and the log itself."""
    try:
        place = lines.index(LOGS_BEGIN, 0, _MOST_HEAD_LINES) + 1
    except ValueError:
        return [], lines
    return lines[:place], lines[place:]
