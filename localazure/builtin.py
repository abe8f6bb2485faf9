"""The built-in model in real time: draws what a request costs and answers when that time is over."""

from __future__ import annotations

import asyncio
import json
import time
from urllib.parse import parse_qsl

from localazure.http1 import Request
from localazure.model import ServiceTimes, answer_of, end_ns, refusal, timed_out
from localazure.options import Options
from localazure.service import Done, Exchange
from localazure.swagger import swagger_document


class BuiltInModel:
    """Owns the draws of one endpoint. Times count from its making."""

    def __init__(self, options: Options, loop: asyncio.AbstractEventLoop, *, has_key: bool) -> None:
        self._options = options
        self._loop = loop
        self._has_key = has_key
        self._times = ServiceTimes(options.truth, options.seed)
        self._start_ns = time.monotonic_ns()
        self._own_timeout_ns = options.request_timeout_ns if options.hosting == "local" else None

    def start(self, exchange: Exchange, done: Done) -> None:
        request = exchange.request
        if request.method == "GET":
            request.body, content_type = _from_query(request), "application/json"
        else:
            content_type = request.headers.get("content-type", "")
        refused = refusal(request.body, content_type)
        if refused is not None:
            done(exchange, refused)
            return
        truth = self._options.truth
        since_ns = exchange.started_ns - self._start_ns
        work_ns = self._times.draw_ns(since_ns, is_over_workers=exchange.is_over_workers)
        wall_ns = end_ns(since_ns, work_ns, truth.stall_every_ns, truth.stall_ns) - since_ns
        fault = self._times.draw_fault()
        if self._own_timeout_ns is not None and wall_ns > self._own_timeout_ns:
            wall_ns, answer = self._own_timeout_ns, timed_out(self._own_timeout_ns)
        else:
            answer = answer_of(request.body, fault, wall_ns)
        if wall_ns <= 0:
            done(exchange, answer)
        else:
            self._loop.call_at((exchange.started_ns + wall_ns) / 1e9, done, exchange, answer)

    def swagger(self, version: str) -> bytes | None:
        options = self._options
        return swagger_document(version, name=options.name, scoring_path=options.scoring_path, has_key=self._has_key)


def _from_query(request: Request) -> bytes:
    """The inference server hands a GET's parameters to the script as one JSON object, each value read as JSON."""
    try:
        return json.dumps({name: json.loads(value) for name, value in parse_qsl(request.query)}).encode()
    except ValueError:
        return b""
