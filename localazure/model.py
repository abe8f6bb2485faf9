"""The built-in model: what it answers and how long it takes, as functions of its settings and a seeded generator."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

S = 10**9
MS = 10**6
RESPAWN_NS = 360 * MS
"""How long a worker that died is missing: measured with azureml-inference-server-http 1.5.1 and gunicorn 27."""
SCRIPT_FAILED = b'{"message": "An unexpected error occurred in scoring script. Check the logs for more info."}'
SCRIPT_TRACEBACK = """Traceback (most recent call last):
  File "score.py", line 17, in run
    return model.predict(rows)
ValueError: a planned failure of the built-in model (--error-ratio)"""
_REMEMBERED_BODY_BYTES = 16_384


class Fault(Enum):
    """What goes wrong inside the model, apart from being slow."""

    CRASH = 1  # the worker dies without an answer
    ERROR = 2  # the script raises
    WRONG = 3  # the script catches its own exception and answers 200 with {"error": …}
    RUBBISH = 4  # 200 with JSON that is cut


@dataclass(frozen=True, slots=True)
class Truth:
    """How the built-in model behaves. Times in nanoseconds; spread is a coefficient of variation."""

    service_ns: int = 20 * MS
    spread: float = 0.0
    leak_ns_per_request: float = 0.0
    thrash_factor: float = 1.0
    cold_factor: float = 1.0
    cold_ns: int = 0  # how long cold_factor applies, from the start of the endpoint
    stall_every_ns: int = 0  # 0: no stalls
    stall_ns: int = 0
    crash_ratio: float = 0.0
    error_ratio: float = 0.0
    wrong_ratio: float = 0.0
    rubbish_ratio: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What the model's container answered; `status` None: it closed the connection without an answer."""

    status: int | None
    body: bytes = b""
    content_type: str = "application/json"
    run_failed: bool = False
    exec_ns: int | None = None  # time inside run(), None unless run() returned
    headers: tuple[tuple[str, str], ...] = ()
    respawn_ns: int = 0  # how long the worker stays missing after this answer
    traceback: str | None = None


class ServiceTimes:
    """Draws of service time and fault. The same seed and the same calls give the same draws."""

    def __init__(self, truth: Truth, seed: int) -> None:
        self._truth = truth
        self._random = random.Random(seed)
        self._served_count = 0
        variance = math.log1p(truth.spread**2)
        self._sigma = math.sqrt(variance)
        self._mu = math.log(truth.service_ns) - variance / 2 if truth.service_ns else 0.0

    def draw_ns(self, since_start_ns: int, *, is_over_workers: bool) -> int:
        """Service time of the next request: log-normal with the mean service_ns, plus leak, times cold and thrash."""
        truth = self._truth
        work_ns = float(truth.service_ns)
        if self._sigma and truth.service_ns:
            work_ns = self._random.lognormvariate(self._mu, self._sigma)
        work_ns += truth.leak_ns_per_request * self._served_count
        self._served_count += 1
        if since_start_ns < truth.cold_ns:
            work_ns *= truth.cold_factor
        if is_over_workers:
            work_ns *= truth.thrash_factor
        return round(work_ns)

    def draw_fault(self) -> Fault | None:
        truth = self._truth
        chance = self._random.random()
        for fault, ratio in (
            (Fault.CRASH, truth.crash_ratio),
            (Fault.ERROR, truth.error_ratio),
            (Fault.WRONG, truth.wrong_ratio),
            (Fault.RUBBISH, truth.rubbish_ratio),
        ):
            if chance < ratio:
                return fault
            chance -= ratio
        return None


def end_ns(start_ns: int, work_ns: int, stall_every_ns: int, stall_ns: int) -> int:
    """When work is done that stands still in each window [k·every, k·every + stall), k ≥ 1. All times since the start.

    >>> end_ns(0, 3, 10, 4), end_ns(8, 3, 10, 4), end_ns(12, 3, 10, 4), end_ns(8, 8, 10, 4)
    (3, 15, 17, 20)
    """
    if not stall_every_ns or not stall_ns:
        return start_ns + work_ns
    number, within_ns = divmod(start_ns, stall_every_ns)
    if number == 0:
        to_stall_ns = stall_every_ns - within_ns
        if work_ns <= to_stall_ns:
            return start_ns + work_ns
        number, within_ns, work_ns = 1, 0, work_ns - to_stall_ns
    running_ns = stall_every_ns - stall_ns
    done_ns = max(0, within_ns - stall_ns) + work_ns  # of running time since this window began
    whole, rest_ns = divmod(done_ns, running_ns)
    if rest_ns == 0 and whole:
        whole, rest_ns = whole - 1, running_ns
    return (number + whole) * stall_every_ns + stall_ns + rest_ns


def refusal(body: bytes, content_type: str) -> ModelAnswer | None:
    """The answer of a script with an input schema to a request it cannot read; None when it can."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return ModelAnswer(415, b'{"message": "Expects Content-Type to be application/json"}')
    if prediction(body) is None:
        return ModelAnswer(400, b'{"message": "The body is not JSON with a list of rows under \\"data\\""}')
    return None


def answer_of(body: bytes, fault: Fault | None, exec_ns: int) -> ModelAnswer:
    """The model's answer to a body that `refusal` does not refuse."""
    if fault is Fault.CRASH:
        return ModelAnswer(None, respawn_ns=RESPAWN_NS)
    if fault is Fault.ERROR:
        return ModelAnswer(500, SCRIPT_FAILED, run_failed=True, traceback=SCRIPT_TRACEBACK)
    if fault is Fault.WRONG:
        return ModelAnswer(200, b'{"error": "a planned wrong answer (--wrong-ratio)"}', exec_ns=exec_ns)
    result = prediction(body) or b""
    if fault is Fault.RUBBISH:
        result = result[: len(result) // 2]
    return ModelAnswer(200, result, exec_ns=exec_ns)


def timed_out(timeout_ns: int) -> ModelAnswer:
    """The inference server's own time-out, as a client of a local container sees it."""
    return ModelAnswer(500, b'{"message": "Scoring timeout after %d ms"}' % (timeout_ns // MS), run_failed=True)


def prediction(body: bytes) -> bytes | None:
    """The JSON answer to a body, a function of the body alone; None when it is not JSON with rows under "data".

    >>> prediction(b'{"data": [[1, 2, 3], [4.5], "ab"]}')
    b'{"result": [3.0, 4.5, 2.0]}'
    >>> prediction(b'{"rows": []}') is None
    True

    An empty object asks for nothing and gets an empty result, so that a caller without a payload is served too.

    >>> prediction(b"{}")
    b'{"result": []}'
    """
    return _remembered(body) if len(body) <= _REMEMBERED_BODY_BYTES else _predicted(body)


@lru_cache(maxsize=512)
def _remembered(body: bytes) -> bytes | None:
    return _predicted(body)


def _predicted(body: bytes) -> bytes | None:
    try:
        document = json.loads(body)
        rows = document["data"] if document != {} else []
        if not isinstance(rows, list):
            return None
        return json.dumps({"result": [round(_score(row), 6) for row in rows]}, allow_nan=False).encode()
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _score(value: Any) -> float:
    """Σ score(item k) / (k + 1) over a row, down to numbers (themselves), texts (their length) and null (0)."""
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        return float(len(value))
    if isinstance(value, dict):
        value = list(value.values())
    return sum(_score(item) / (position + 1) for position, item in enumerate(value or ()))
