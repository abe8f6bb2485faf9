"""What is known of one failed request, as far as a cause can depend on it. Requests with equal facts are one case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from monitor.diagnosis.clues import clue
from monitor.diagnosis.ids import ABSENT, ID, PRESENT, SERVER_ID, TEXT, TIME, UNKNOWN
from monitor.diagnosis.join import Joined
from monitor.diagnosis.nearby import Nearby
from monitor.diagnosis.setting import Setting, worth_a_shift
from monitor.fingerprint import masked_message, thrown_key
from scoring.served import EventKind, Served, Source

WITNESS = {
    Source.CLIENT: "client",
    Source.TRAFFIC_LOG: "traffic log",
    Source.APP_INSIGHTS: "App Insights",
    Source.SERVICE_LOG: "service log",
    Source.CONSOLE_LOG: "service log",  # the same output, taken elsewhere
    Source.EVENT_LOG: "event log",
    Source.METRICS: "metrics",
}
"""The source's name for people. Two sources under one name are one witness."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Equal for requests of one case. None: not known."""

    source: str  # the witness that tells of it first
    label: str
    status: int | None
    is_kept: bool = True  # False: known by outcome only
    has_detail: bool = True  # False: the client kept neither text nor headers of the answer
    clue: str | None = None
    said: str = ""  # the answer's text without values, where no clue is in it
    function_failed: bool | None = None
    model_status: int | None = None  # status of the container behind the front end
    reason: str | None = None
    front: str = UNKNOWN  # the traffic log's row
    front_status: int | None = None
    front_clue: str | None = None
    server: str = UNKNOWN  # the model server's own row
    server_by: str | None = None  # the witness of that row
    server_status: int | None = None
    server_is_long: bool | None = None  # it took at least the platform's limit
    is_at_limit: bool | None = None  # the caller waited about the platform's limit
    is_past_deadline: bool | None = None  # the server alone took as long as the caller waits
    is_throttled: bool | None = None  # bandwidth throttling took a fifth of the time or more
    is_matched_by_time: bool = False
    exception: tuple[str, ...] | None = None
    exception_kind: str | None = None
    exception_by: str | None = None
    exception_is_sure: bool = False  # matched by id or by its text
    no_exception: bool = False
    events: frozenset[tuple[EventKind, str, int | None]] = frozenset()  # kind, witness, code; around the request
    is_after_step: bool | None = None
    is_over_admitted: bool | None = None  # more requests were held at once than are admitted
    is_queued: bool | None = None  # more requests were held at once than are worked on
    deployment: str | None = None

    @property
    def from_model(self) -> bool:
        """The answer, or a row of it, comes from the model's own server."""
        return self.function_failed is not None or self.server == PRESENT

    @property
    def model_said(self) -> int | None:
        """The status the model's server answered with; None where it is not known."""
        if self.server_status is not None:
            return self.server_status
        if self.model_status is not None:
            return self.model_status
        return self.status if self.function_failed is not None and self.status not in (424, 502) else None

    def near(self, *kinds: EventKind) -> frozenset[str]:
        """The witnesses of such an event around the request."""
        return frozenset(witness for kind, witness, _ in self.events if kind in kinds)

    @property
    def as_answered(self) -> tuple[object, ...]:
        """What the first source alone tells: requests alike in it may share a cause that only some show."""
        return (self.source, self.label, self.clue, self.said, self.function_failed, self.model_status, self.reason)


def facts_of(one: Joined, setting: Setting, nearby: Nearby) -> Facts:
    """The facts of one joined failure."""
    row = one.row
    front = row if row.source is Source.TRAFFIC_LOG else one.other(Source.TRAFFIC_LOG)
    server = _server_row(one)
    model_status = row.model_status if row.model_status is not None else front.model_status if front else None
    found = clue(row.reason, row.body)
    users = row.users if row.users is not None else setting.loads.users_at(row.at)
    return Facts(
        source=WITNESS[row.source],
        label=row.label,
        status=row.status,
        has_detail=_has_detail(row),
        clue=found or (clue(front.reason, None) if front else None),
        said="" if found else masked_message(_text(row)),
        function_failed=_first(row.function_failed, server.function_failed if server else None),
        model_status=model_status,
        reason=row.reason or (front.reason if front else None),
        front=PRESENT if front else one.known.get(Source.TRAFFIC_LOG, UNKNOWN),
        front_status=front.status if front else None,
        front_clue=clue(front.reason, None) if front else None,
        server=PRESENT if server else _absent_or_unknown(one),
        server_by=WITNESS[server.source] if server else None,
        server_status=server.status if server else None,
        server_is_long=_at_least(server, setting.limit_ms),
        is_at_limit=is_at_limit(row.duration_ms, setting.limit_ms),
        is_past_deadline=_at_least(server, setting.client.deadline_ms if setting.client else None),
        is_throttled=_is_throttled(row, front),
        is_matched_by_time=one.how == TIME,
        exception=None if one.thrown is None else thrown_key(one.thrown),
        exception_kind=None if one.thrown is None else one.thrown.kind,
        exception_by=None if one.thrown is None else WITNESS[one.thrown.source],
        exception_is_sure=one.thrown_how in (ID, SERVER_ID, TEXT),
        no_exception=one.no_exception,
        events=_events(one, setting, nearby),
        is_after_step=setting.loads.is_after_a_step(row.at),
        is_over_admitted=_more(users, setting.admitted),
        is_queued=_more(users, setting.served_at_once),
        deployment=row.deployment,
    )


def _server_row(one: Joined) -> Served | None:
    if one.row.source in (Source.APP_INSIGHTS, Source.SERVICE_LOG):
        return one.row
    return one.other(Source.APP_INSIGHTS, Source.SERVICE_LOG)


def _absent_or_unknown(one: Joined) -> str:
    known = [one.known.get(source, UNKNOWN) for source in (Source.APP_INSIGHTS, Source.SERVICE_LOG)]
    return ABSENT if ABSENT in known else UNKNOWN


def _events(one: Joined, setting: Setting, nearby: Nearby) -> frozenset[tuple[EventKind, str, int | None]]:
    row = one.row
    if row.at is None:
        return frozenset()
    ahead = worth_a_shift(setting.ahead_s) if row.source is Source.CLIENT else timedelta()
    start = row.at + ahead
    found = nearby.between(start, start + timedelta(milliseconds=row.duration_ms or 0.0))
    return frozenset((event.kind, WITNESS[event.source], event.code) for event in found)


def is_at_limit(duration_ms: float | None, limit_ms: float | None) -> bool | None:
    """True when the caller waited for the platform's limit: from 5 % below it to 2 s, or a fifth of it, above."""
    if duration_ms is None or limit_ms is None:
        return None
    return 0.95 * limit_ms <= duration_ms <= limit_ms + max(2_000.0, 0.2 * limit_ms)


def _at_least(row: Served | None, limit_ms: float | None) -> bool | None:
    if row is None or row.duration_ms is None or limit_ms is None:
        return None
    return row.duration_ms >= 0.95 * limit_ms


def _is_throttled(row: Served, front: Served | None) -> bool | None:
    told = next((one for one in (front, row) if one is not None and one.throttled_ms is not None), None)
    if told is None or told.throttled_ms is None:
        return None
    return told.throttled_ms >= 0.2 * (told.duration_ms or row.duration_ms or 1.0) and told.throttled_ms > 0


def _more(held: int | None, bound: int | None) -> bool | None:
    return None if held is None or bound is None else held > bound


def _has_detail(row: Served) -> bool:
    told = (row.body, row.detail, row.reason, row.model_status, row.function_failed)
    if row.source is not Source.CLIENT or row.status is None or row.headers:
        return True
    return any(one is not None for one in told)


def _text(row: Served) -> str:
    """The text that tells failures of one outcome apart: an answer's body, or why its body is not accepted."""
    if row.label in ("body_invalid", "schema_mismatch", "golden_mismatch"):
        return row.detail or ""  # the body is the answer itself, different each time
    return row.body or "" if row.status is not None else ""


def _first(*values: bool | None) -> bool | None:
    return next((value for value in values if value is not None), None)
