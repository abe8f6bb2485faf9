"""Checks as availability rows of Application Insights, as attributes that Microsoft's exporter makes rows of. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from scoring.errors import RedlineError
from scoring.health import EndpointHealth, Health
from scoring.redact import redact
from scoring.text import harmless
from scoring.units import S

MOST_WAITING = 1_000
"""Rows that wait while nobody takes them; the oldest make room."""
AT_ONCE = 100
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
LONGEST_ASKED_S = 3_600.0
TRIED_AGAIN = frozenset({401, 402, 403, 408, 429, 439, 500, 502, 503, 504})
"""Statuses of the ingestion service after which the same row may be taken: quotas and roles change."""
_KEY = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LOOPBACK = tuple(f"http://{host}{end}" for host in ("127.0.0.1", "localhost", "[::1]") for end in ":/")
_NS_PER_US = 1_000


@dataclass(frozen=True, slots=True)
class AvailabilityRow:
    """One check of one endpoint. `id` is the same whenever the check is told, so that a row that came twice is seen."""

    id: str
    name: str
    at_ns: int  # when the check began, since 1970
    duration_ns: int
    success: bool
    location: str
    message: str
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def attributes(self) -> dict[str, str]:
        """Names that the exporter knows, all of them texts; the others become custom dimensions."""
        known = {
            "id": self.id,
            "name": self.name,
            "duration": timespan(self.duration_ns),
            "success": str(self.success).lower(),
            "runLocation": self.location,
            "message": self.message,
        }
        return {**{f"microsoft.availability.{name}": value for name, value in known.items()}, **self.properties}


def row_of(health: EndpointHealth, location: str, beside: Collection[str] = ()) -> AvailabilityRow:
    """The row of a check of an endpoint. Success is OK or DEGRADED: an answer came, and was right.

    `beside` are ids of checks that do not ask the endpoint: what its telemetry tells is no availability. The duration
    is that of the first good answer, of the whole check where there is none.
    """
    asked = EndpointHealth(
        health.name,
        health.host,
        tuple(c for c in health.checks if c.id not in beside),
        health.checked_s,
        health.took_ns,
    )
    deciding = asked.deciding
    text = f"{health.name}\n{health.checked_s!r}\n{location}"
    return AvailabilityRow(
        id=hashlib.sha256(text.encode()).hexdigest()[:32],
        name=health.name,
        at_ns=round(health.checked_s * S),
        duration_ns=health.took_ns if health.latency_ns is None else health.latency_ns,
        success=asked.state in (Health.OK, Health.DEGRADED),
        location=location,
        message=asked.reason,
        properties={
            "state": asked.state.value,
            "host": health.host,
            "evidence": "" if deciding is None else harmless(redact(deciding.evidence), max_chars=500),
            "checks": " ".join(f"{check.id}={check.outcome.value}" for check in asked.checks)[:2_000],
        },
    )


def timespan(duration_ns: int) -> str:
    """d.hh:mm:ss.ffffff, as the ingestion service reads it.

    >>> timespan(1_500_000), timespan(90_061_000_000_000)
    ('0.00:00:00.001500', '1.01:01:01.000000')
    """
    whole_s, rest_ns = divmod(duration_ns, S)
    minutes, seconds = divmod(whole_s, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}.{hours:02}:{minutes:02}:{seconds:02}.{rest_ns // _NS_PER_US:06}"


def checked_connection(text: str, variable: str) -> str:
    """The connection string as it stands. RedlineError, which shows nothing of it, where it cannot be one."""
    hint = "az monitor app-insights component show --app NAME -g GROUP --query connectionString -o tsv"
    pairs = [part.split("=") for part in text.strip().strip(";").split(";")]
    if any(len(pair) != 2 for pair in pairs):
        raise RedlineError(f"{variable} holds no connection string: NAME=VALUE;NAME=VALUE (value not shown)", hint)
    values = {name.strip().lower(): value.strip() for name, value in pairs}
    if _KEY.fullmatch(values.get("instrumentationkey", "")) is None:
        raise RedlineError(f"{variable} holds no InstrumentationKey=GUID (value not shown)", hint)
    address = values.get("ingestionendpoint", "https://")
    if not address.startswith(("https://", *_LOOPBACK)):
        raise RedlineError(f"the IngestionEndpoint in {variable} is no https address (value not shown)", hint)
    return text.strip()


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a batch: `status` None where no answer came. `body` is the service's account of the items."""

    status: int | None
    body: str = ""
    retry_after_s: float | None = None

    @property
    def error(self) -> str | None:
        """Why not every row was taken; None where all were."""
        if self.status is None:
            return "no answer"
        return None if self.status == 200 and not _errors(self.body) else f"answered {self.status}"


def left_of(batch: Sequence[AvailabilityRow], posted: Posted) -> tuple[list[AvailabilityRow], int]:
    """The rows to send again, and how many are lost because the service will never take them."""
    if posted.status is None or posted.status in TRIED_AGAIN:
        return list(batch), 0
    if posted.status not in (200, 206):
        return [], len(batch)
    again, lost = [], 0
    for index, status in _errors(posted.body):
        if status in TRIED_AGAIN and 0 <= index < len(batch):
            again.append(batch[index])
        else:
            lost += 1
    return again, lost


def _errors(body: str) -> list[tuple[int, int]]:
    """Place and status of each item that was not taken."""
    try:
        found = json.loads(body).get("errors") or []
        return [(int(one["index"]), int(one["statusCode"])) for one in found]
    except (ValueError, AttributeError, KeyError, TypeError):
        return []


@dataclass
class Waiting:
    """Owns the rows that nobody has taken yet, the oldest first, and when they are tried next."""

    rows: deque[AvailabilityRow] = field(default_factory=deque)
    dropped_count: int = 0  # made room, or were refused for good
    failure_count: int = 0  # attempts in a row that brought nothing
    due_s: float = 0.0  # on the monotonic clock

    def add(self, row: AvailabilityRow) -> None:
        """One more; beyond MOST_WAITING the oldest is dropped."""
        self.rows.append(row)
        while len(self.rows) > MOST_WAITING:
            self.rows.popleft()
            self.dropped_count += 1

    def batch(self) -> list[AvailabilityRow]:
        """The next rows to send; they stay until `settled`."""
        return [self.rows[place] for place in range(min(AT_ONCE, len(self.rows)))]

    def settled(self, batch: Sequence[AvailabilityRow], posted: Posted, now_s: float) -> None:
        """What was taken or refused for good is gone; what may be tried again waits in front, with growing pauses."""
        again, lost = left_of(batch, posted)
        sent, kept = {row.id for row in batch}, {row.id for row in again}
        self.rows = deque(row for row in self.rows if row.id not in sent or row.id in kept)
        self.dropped_count += lost
        self.failure_count = self.failure_count + 1 if again else 0
        if again:
            pause_s = min(FIRST_PAUSE_S * 2.0 ** min(self.failure_count - 1, 10), LONGEST_PAUSE_S)
            asked_s = min(posted.retry_after_s or 0.0, LONGEST_ASKED_S)
            self.due_s = now_s + max(pause_s, asked_s)
