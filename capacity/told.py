"""What a run folder tells of the endpoint: every attempt counted, and each failed one with what it said of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from capacity.journal import ENDED
from capacity.stats import nearest_rank
from capacity.summary import Rows, from_due, late_p99_s
from capacity.validity import Health, reasons
from scoring.account import LEAST_BIN, LEAST_MS, LOG_BIN_RATIO, Account, Cell, Problem
from scoring.attempt import FAILURE_NUMBER, FAILURES, FLAG_RENEWED, Failure, label_of
from scoring.redact import redact
from scoring.served import Served, Source
from scoring.status import AUTH
from scoring.text import harmless
from scoring.told import ClientSide, Stretch, Told
from scoring.units import MS, S

if TYPE_CHECKING:
    from capacity.recorded import Recorded

MAX_BUCKETS = 120
BUCKETS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
KEPT_FAILED = 5_000
RENEWED = "the credential was being renewed"
KEPT_SLOWEST = 20
_ABORTED = FAILURE_NUMBER[Failure.ABORTED]


def told_by(found: Recorded) -> Told:
    """The run as the client saw it. Attempts that were in flight when the run ended are no outcome and left out.

    In an open loop a request begins when it is due: its time, and how long it took, count from then.
    """
    run = found.run
    rows = found.rows[found.rows["failure"] != _ABORTED]
    wall = _Wall(run.anchor.started_at.astimezone(UTC), run.anchor.monotonic_ns)
    endpoint = run.plan.endpoint
    if not len(rows):
        problem = Problem(
            Source.CLIENT, "no_data", f"{run.folder} holds no answered attempt", f"redline report limit {run.folder}"
        )
        return Told(endpoint, wall.started_at, None, problems=(problem,), asked=(Source.CLIENT,))
    details = {str(line.get("request_id")): line for line in found.failures}
    labels = _labels(rows)
    timed = from_due(rows) if run.plan.is_open else rows
    account = _account(timed, labels, wall)
    failed = np.flatnonzero(rows["failure"] != 0)
    slowest = _slowest(timed["done_ns"] - timed["sent_ns"])
    return Told(
        endpoint,
        since_at=wall.started_at,
        until_at=wall.at(int(rows["done_ns"].max())),
        accounts=(account,),
        failed=tuple(_served(timed[i], wall, details) for i in _spread(failed, KEPT_FAILED)),
        slowest=tuple(_served(timed[i], wall, details) for i in slowest),
        client=_client_side(found, rows, wall),
        asked=(Source.CLIENT,),
    )


class _Wall:
    """Turns monotonic nanoseconds of the run into wall time."""

    def __init__(self, started_at: datetime, monotonic_ns: int) -> None:
        self.started_at = started_at
        self._zero_ns = monotonic_ns

    def at(self, monotonic_ns: int) -> datetime:
        return self.started_at + timedelta(microseconds=(monotonic_ns - self._zero_ns) // 1000)

    def epoch_s(self, monotonic_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        start_ns = int(self.started_at.timestamp() * S)
        seconds: NDArray[np.int64] = (monotonic_ns - self._zero_ns + start_ns) // S
        return seconds


def bucket_s_for(seconds: float) -> int:
    """The shortest bucket of BUCKETS_S that divides so many seconds into at most MAX_BUCKETS.

    >>> bucket_s_for(30), bucket_s_for(86_400)
    (1, 900)
    """
    return next((one for one in BUCKETS_S if seconds / one <= MAX_BUCKETS), BUCKETS_S[-1])


def _labels(rows: Rows) -> NDArray[np.int64]:
    """One number per row: the same for rows of the same label."""
    numbers: NDArray[np.int64] = rows["status"].astype(np.int64) * 256 + rows["failure"]
    return numbers


def _account(rows: Rows, labels: NDArray[np.int64], wall: _Wall) -> Account:
    sent_s = wall.epoch_s(rows["sent_ns"])
    bucket_s = bucket_s_for(float(sent_s.max() - sent_s.min()))
    took_ms = (rows["done_ns"] - rows["sent_ns"]) / MS
    bins = np.full(len(rows), LEAST_BIN, dtype=np.int64)
    long = took_ms > LEAST_MS
    bins[long] = np.floor(np.log(took_ms[long]) / LOG_BIN_RATIO).astype(np.int64)
    cells = tuple(
        Cell(datetime.fromtimestamp(at * bucket_s, UTC), _label(label), count, number, longest)
        for (at, label, number), count, longest in _counted(sent_s // bucket_s, labels, bins, took_ms)
    )
    ordered = np.sort(took_ms)
    exact = {name: float(nearest_rank(ordered, share)) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
    last_at = wall.at(int(rows["done_ns"].max()))
    return Account(
        Source.CLIENT,
        cells,
        bucket_s=bucket_s,
        first_at=wall.at(int(rows["sent_ns"].min())),
        last_at=last_at,
        complete_until=last_at,
        exact_ms={**exact, "max": float(ordered[-1])},
    )


def _counted(
    at: NDArray[np.int64], labels: NDArray[np.int64], bins: NDArray[np.int64], took_ms: NDArray[np.float64]
) -> Iterator[tuple[tuple[int, int, int], int, float]]:
    """Each combination of bucket, label and bin that occurs, with its count and longest duration."""
    label_numbers, label_places = np.unique(labels, return_inverse=True)
    start, least = int(at.min()), int(bins.min())
    width = int(bins.max()) - least + 1
    keys = ((at - start) * len(label_numbers) + label_places) * width + (bins - least)
    order = np.argsort(keys, kind="stable")
    firsts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    counts = np.diff(firsts, append=len(keys))
    longest = np.maximum.reduceat(took_ms[order], firsts)
    for key, count, most in zip(keys[order][firsts].tolist(), counts.tolist(), longest.tolist(), strict=True):
        rest, number = divmod(key, width)
        bucket, place = divmod(rest, len(label_numbers))
        yield (start + bucket, int(label_numbers[place]), number + least), count, most


def _label(number: int) -> str:
    status, failure = divmod(number, 256)
    return label_of(status or None, FAILURES[failure])


def _slowest(took_ns: NDArray[np.int64]) -> NDArray[np.intp]:
    """The places of the longest, the longest first."""
    if len(took_ns) > KEPT_SLOWEST:
        places = np.argpartition(took_ns, len(took_ns) - KEPT_SLOWEST)[-KEPT_SLOWEST:]
    else:
        places = np.arange(len(took_ns))
    return places[np.argsort(-took_ns[places], kind="stable")]


def _spread(places: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most so many of the places, evenly over all of them."""
    if len(places) <= most:
        return places
    return places[np.linspace(0, len(places) - 1, most).astype(np.intp)]


def _served(row: np.void, wall: _Wall, details: Mapping[str, Mapping[str, Any]]) -> Served:
    """The attempt as a served request, with what the recorder kept of the answer."""
    request_id = bytes(row["id"]).hex()
    said = details.get(request_id, {})
    headers = _headers(said.get("headers"))
    failure = FAILURES[int(row["failure"])]
    sent, first, done = int(row["sent_ns"]), int(row["first_byte_ns"]), int(row["done_ns"])
    told_us = int(row["server_us"])
    return Served(
        Source.CLIENT,
        at=wall.at(sent),
        status=int(row["status"]) or None,
        failure=None if failure is None else str(failure),
        duration_ms=(done - sent) / MS,
        request_id=request_id,
        server_id=headers.get("x-request-id") or headers.get("x-ms-request-id"),
        deployment=headers.get("azureml-model-deployment"),
        model_status=_number(headers.get("ms-azureml-model-error-statuscode")),
        reason=RENEWED if int(row["flags"]) & FLAG_RENEWED else headers.get("ms-azureml-model-error-reason"),
        function_failed=_truth(headers.get("x-ms-run-function-failed")),
        server_ms=told_us / 1000 if told_us else None,
        body=_safe(said.get("body")),
        detail=_safe(said.get("detail")),
        headers=tuple(sorted((str(name), str(value)) for name, value in headers.items())),
        phases_ms=(("wait for first byte", (first - sent) / MS), ("transfer", (done - first) / MS)) if first else (),
        users=users if isinstance(users := said.get("users"), int) else None,
    )


def _headers(told: object) -> dict[str, str]:
    """Names and values, made safe again: anybody may have written into the file."""
    if not isinstance(told, dict):
        return {}
    return {name: value for key, one in told.items() if (name := _safe(key)) and (value := _safe(f"{one}")) is not None}


def _safe(text: object) -> str | None:
    return harmless(redact(text)) if isinstance(text, str) else None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) == 3 else None


def _truth(text: str | None) -> bool | None:
    return {"true": True, "false": False}.get((text or "").lower())


def _client_side(found: Recorded, rows: Rows, wall: _Wall) -> ClientSide:
    health = [told for line in found.levels if (told := line.get("client") or line.get("health"))]
    service_s = float(np.median(rows["done_ns"] - rows["sent_ns"])) / S
    invalid = [str(one) for line in found.levels for one in line.get("invalid") or ()]
    late_s = late_p99_s(rows) if found.run.plan.is_open else None
    judged = [replace(Health(**_known(one)), late_p99_s=late_s) for one in health]
    signs = [sign for one in judged for sign in reasons(one, [], {}, service_s)]
    why = tuple(dict.fromkeys(invalid if found.run.plan.command == "limit" else [*invalid, *signs]))
    good = rows[rows["failure"] == 0]
    least = good[good["trial"] == good["trial"].min()] if len(good) else good
    told_us = least["server_us"][least["server_us"] > 0]
    deadline_ns = found.run.plan.deadline_ns
    verdict = (found.verdict or {}).get("client") or {}
    return ClientSide(
        is_fair=bool(verdict.get("valid", not why)),
        reasons=tuple(verdict.get("reasons") or why),
        cpu_ratio=_most(health, "cpu_ratio"),
        lag_p99_ms=None if (lag := _most(health, "lag_p99_s")) is None else 1000 * lag,
        stretches=_stretches(found, rows, wall),
        served_ms=float(np.median(told_us)) / 1000 if len(told_us) else None,
        first_was_good=bool(rows["failure"][0] == 0),
        refused_from_at=_refused_from(rows, wall),
        deadline_ms=None if deadline_ns is None else deadline_ns / MS,
    )


def _known(health: Mapping[str, Any]) -> dict[str, Any]:
    return {one.name: health.get(one.name) for one in fields(Health)}


def _most(health: Sequence[Mapping[str, Any]], name: str) -> float | None:
    return max((one[name] for one in health if one.get(name) is not None), default=None)


def _refused_from(rows: Rows, wall: _Wall) -> datetime | None:
    """The instant from which every answer was 401 or 403; None when there is none."""
    refused = np.isin(rows["status"], sorted(AUTH)) & ((rows["flags"] & FLAG_RENEWED) == 0)
    others = np.flatnonzero(~refused)
    first = 0 if not len(others) else int(others[-1]) + 1
    return wall.at(int(rows["sent_ns"][first])) if first < len(rows) else None


def _stretches(found: Recorded, rows: Rows, wall: _Wall) -> tuple[Stretch, ...]:
    """The loads that were held, one after the other."""
    levels, last_ns = found.levels, int(rows["done_ns"].max())
    opened = [line for line in levels if _opened_ns(line)]
    seconds = {line.get("number"): line.get("seconds") for line in levels if line.get("kind") == ENDED}
    starts = [_opened_ns(line) for line in opened]
    limits = [*starts[1:], last_ns][: len(starts)]
    held = []
    for line, start, limit in zip(opened, starts, limits, strict=True):
        took = line.get("seconds") or seconds.get(line.get("number"))
        end = limit if took is None else min(limit, start + int(took * S))
        own = rows[rows["trial"] == line.get("number", line.get("trial"))]
        users = most_in_flight(own) if found.run.plan.is_open else int(line["users"])
        held.append(Stretch(wall.at(start), wall.at(end), users))
    return tuple(held)


def most_in_flight(rows: Rows) -> int:
    """The most attempts that were under way at once; 0 of none."""
    at_ns = np.concatenate([rows["sent_ns"], rows["done_ns"]])
    steps = np.concatenate([np.ones(len(rows), dtype=np.int64), np.full(len(rows), -1)])
    order = np.lexsort((steps, at_ns))  # of one instant the ends come first
    return int(np.cumsum(steps[order]).max(initial=0))


def _opened_ns(line: Mapping[str, Any]) -> int:
    """When a trial of a search, or a load, began; 0 for other lines."""
    return int(line.get("opened_ns") or line.get("opened_monotonic_ns") or 0)
