"""The endpoint: lets in, admits, hands to the model, times out and answers. One loop, no task per request."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Protocol, cast
from uuid import uuid4

from localazure.answers import REASONS, AnswerWriter, Cause, Ids, ids_of, message
from localazure.entrances import Entrance
from localazure.frontend import FrontEnd, Phase, Pool, RateLimit, Refusal, Ticket
from localazure.http1 import BadRequestError, Request
from localazure.model import ModelAnswer
from localazure.options import Options
from localazure.protocol import READ_BUFFER_BYTES, Connection
from localazure.servicelog import Served, ServiceLog
from localazure.stats import LoopHealth, figures
from localazure.telemetry.notes import CLIENT_LEFT, Notes

_HOUSEKEEPING_TICKS = 20
_JSON = "application/json"
_CAUSES = {
    Refusal.OVERLOADED: Cause.OVERLOADED,
    Refusal.NOT_READY: Cause.NOT_READY,
    Refusal.RATE_LIMITED: Cause.RATE_LIMITED,
}
_CLOSE = b"Connection: close\r\n"
_KEEP = b"Connection: keep-alive\r\n"
CLIENT_GONE = "client_gone"  # counted in place of a status: the caller left before its answer
CLOSED = "closed"  # counted in place of a status: the connection was closed without an answer, as local hosting does


class Exchange(Ticket):
    """A scoring request on its way. `is_answered` is also true when its caller has gone."""

    __slots__ = ("arrived_ns", "connection", "ids", "is_answered", "is_over_workers", "request", "started_ns")

    def __init__(self, connection: Connection, request: Request, ids: Ids) -> None:
        super().__init__()
        self.connection = connection
        self.request = request
        self.ids = ids
        self.arrived_ns = 0
        self.started_ns = 0  # 0 until it has a worker
        self.is_over_workers = False  # more callers than workers when it started
        self.is_answered = False


Done = Callable[[Exchange, ModelAnswer], None]


class ScoringModel(Protocol):
    """The built-in model, or Microsoft's inference server."""

    def start(self, exchange: Exchange, done: Done) -> None:
        """Lead to exactly one call of `done`, at once or later."""

    def swagger(self, version: str) -> bytes | None: ...


class Service:
    """Owns the connections, the front end and the counts of one endpoint. Set `model` before the first request."""

    model: ScoringModel

    def __init__(
        self,
        options: Options,
        entrances: Iterable[Entrance],
        loop: asyncio.AbstractEventLoop,
        log: ServiceLog | None,
        notes: Notes | None = None,
    ) -> None:
        self.connections: set[Connection] = set()
        self.opened_count = 0
        self.read_buffer = bytearray(READ_BUFFER_BYTES)
        self.by_status: Counter[str] = Counter()
        self.is_draining = False
        self.start_ns = time.monotonic_ns()
        self.health = LoopHealth(self.start_ns, time.process_time_ns())  # anew with `begin`
        self.frontend: FrontEnd[Exchange] = front_end(options)
        self._options = options
        self._loop = loop
        self._log = log
        self._notes = notes
        self._paths = {"/score", *(entrance.path for entrance in entrances)}
        self._swagger_paths = {path.removesuffix("/score") + "/swagger.json" for path in self._paths}
        timeout_ns = options.request_timeout_ns
        self._writer = AnswerWriter(
            options.hosting,
            name=options.name,
            deployment=options.deployment,
            timeout_ns=timeout_ns,
            retry_after_s=options.retry_after_s,
        )
        self._random = random.Random(options.seed + 1)
        self._to_start: deque[Exchange] = deque()
        self._is_starting = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_ns = 0
        self._tick_count = 0
        self._tick()

    def handle(self, connection: Connection, request: Request) -> None:
        if request.path in self._paths:
            self._score(connection, request)
        else:
            self._answer_aside(connection, request, self._aside(connection, request))

    def unreadable(self, problem: BadRequestError) -> bytes:
        return self._writer.plain(problem.status, message(problem.message), _JSON, _CLOSE)

    def gone(self, connection: Connection) -> None:
        exchange = connection.exchange
        connection.exchange = None
        if isinstance(exchange, Exchange) and not exchange.is_answered:
            exchange.is_answered = True
            self.by_status[CLIENT_GONE] += 1
            if self._notes is not None:
                total_ns = time.monotonic_ns() - exchange.arrived_ns
                left = "client_disconnected"
                auth = self._auth_at(connection)
                self._notes.passed(exchange.request, exchange.ids, CLIENT_LEFT, 0, auth, total_ns=total_ns, reason=left)
            self._start(self.frontend.leave(exchange, time.monotonic_ns()))

    def set_ready(self, pool_number: int, instances: int) -> None:
        """So many replicas of the pool take requests from now on."""
        per_worker = self._options.places_per_worker
        workers = instances * self._options.max_concurrent
        places = None if per_worker is None else per_worker * workers
        self._start(self.frontend.resize(pool_number, workers, places, time.monotonic_ns()))

    def set_all_ready(self) -> None:
        pool_count = len(self.frontend.pools)
        for number in range(pool_count):
            self.set_ready(number, self._options.instances // pool_count)

    def begin(self) -> None:
        """The endpoint is ready: what its start cost is not its load."""
        self.health = LoopHealth(time.monotonic_ns(), time.process_time_ns())

    def finish(self) -> None:
        """The figures are final."""
        self.health.finish(time.monotonic_ns())

    def finished(self, exchange: Exchange, answer: ModelAnswer) -> None:
        """The place is given back before the answer is written: who has read it can send again."""
        now_ns = time.monotonic_ns()
        if answer.respawn_ns:
            started = self.frontend.leave(exchange, now_ns)
            self._loop.call_later(answer.respawn_ns / 1e9, self._respawned, exchange)
        else:
            started = self.frontend.worker_done(exchange, now_ns)
        spent_ns = now_ns - exchange.started_ns
        if self._log is not None:
            self._log.add(self._served(exchange, answer, spent_ns))
        if self._notes is not None:
            self._notes.modelled(exchange, answer, spent_ns)
        if not exchange.is_answered:
            self._pass_on(exchange, answer, spent_ns)
        self._start(started)

    def _score(self, connection: Connection, request: Request) -> None:
        if request.method not in ("POST", "GET"):
            self._answer_aside(connection, request, self._other_method(request))
            return
        ids = ids_of(request.headers, self._options.hosting, str(uuid4()))
        cause = self._refused_unread(connection, request, ids)
        if cause is not None or ids is None:
            self._answer_canned(connection, request, cause or Cause.LONG_ID, ids)
            return
        exchange = Exchange(connection, request, ids)
        exchange.arrived_ns = time.monotonic_ns()
        pools = self.frontend.pools
        pool_number = self._random.randrange(len(pools)) if len(pools) > 1 else 0
        refusal = self.frontend.arrive(exchange, exchange.arrived_ns, pool_number)
        if refusal is not None:
            self._answer_canned(connection, request, _CAUSES[refusal], ids)
            return
        connection.exchange = exchange
        if exchange.phase is Phase.SERVED:
            self._start([exchange])
        self._arm()

    def _refused_unread(self, connection: Connection, request: Request, ids: Ids | None) -> Cause | None:
        """Why the request does not even reach admission."""
        entrance = cast(Entrance, connection.entrance)
        if entrance.auth != "none":
            cause = entrance.refusal(request.headers.get("authorization", ""))
            if cause is not None:
                return cause
        wanted = request.headers.get("azureml-model-deployment")
        if self._options.hosting == "managed" and wanted is not None and wanted != self._options.deployment:
            return Cause.NO_DEPLOYMENT
        return Cause.LONG_ID if ids is None else None

    def _start(self, exchanges: list[Exchange]) -> None:
        """Start their work; what that frees is started too, in turn and not by recursion."""
        self._to_start.extend(exchanges)
        if self._is_starting:
            return
        self._is_starting = True
        try:
            while self._to_start:
                exchange = self._to_start.popleft()
                exchange.started_ns = time.monotonic_ns()
                pool = self.frontend.pools[exchange.pool]
                exchange.is_over_workers = pool.present_count > pool.workers
                self.model.start(exchange, self.finished)
        finally:
            self._is_starting = False

    def _pass_on(self, exchange: Exchange, answer: ModelAnswer, spent_ns: int) -> None:
        exchange.is_answered = True
        exchange.connection.exchange = None
        if answer.status is None and self._options.hosting == "local":
            self.by_status[CLOSED] += 1
            exchange.connection.hang_up()
            return
        connection_line = self._connection_line(exchange.request)
        status, data = self._writer.from_model(answer, exchange.ids, connection_line, spent_ns)
        self.by_status[str(status)] += 1
        if self._notes is not None:
            now_ns = time.monotonic_ns() - exchange.arrived_ns
            reason = "" if answer.status == 200 else "model_error"
            of_model = (answer.status, now_ns)
            size, auth = len(answer.body), self._auth_at(exchange.connection)
            self._notes.passed(
                exchange.request, exchange.ids, status, size, auth, total_ns=now_ns, reason=reason, model=of_model
            )
        exchange.connection.answer(data, close=connection_line is _CLOSE)

    def _answer_canned(
        self, connection: Connection, request: Request, cause: Cause, ids: Ids | None, arrived_ns: int | None = None
    ) -> None:
        connection_line = self._connection_line(request)
        status, data = self._writer.canned(cause, ids, connection_line)
        self.by_status[str(status)] += 1
        if self._notes is not None:
            total_ns = 0 if arrived_ns is None else time.monotonic_ns() - arrived_ns
            size = len(data) - data.index(b"\r\n\r\n") - 4
            auth = self._auth_at(connection)
            self._notes.passed(request, ids, status, size, auth, total_ns=total_ns, reason=REASONS[cause])
        connection.answer(data, close=connection_line is _CLOSE)

    def _give_up(self, exchange: Exchange, cause: Cause) -> None:
        """Answer without the model; its work, where it has begun, goes on."""
        started = self.frontend.leave(exchange, time.monotonic_ns())
        exchange.is_answered = True
        exchange.connection.exchange = None
        self._answer_canned(exchange.connection, exchange.request, cause, exchange.ids, exchange.arrived_ns)
        self._start(started)

    def _respawned(self, exchange: Exchange) -> None:
        self._start(self.frontend.worker_done(exchange, time.monotonic_ns()))

    def _arm(self) -> None:
        due_ns = self.frontend.next_due_ns()
        if due_ns is None or (self._timer is not None and self._timer_due_ns <= due_ns):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due_ns = due_ns
        self._timer = self._loop.call_at(due_ns / 1e9, self._expire)

    def _expire(self) -> None:
        self._timer = None
        waited, timed_out = self.frontend.expired(time.monotonic_ns())
        for exchange in waited:
            self._give_up(exchange, Cause.OVERLOADED)
        for exchange in timed_out:
            self._give_up(exchange, Cause.TIMED_OUT)
        self._arm()

    def _answer_aside(self, connection: Connection, request: Request, data: bytes) -> None:
        if self._notes is not None:
            self._note_aside(connection, request, data)
        if request.method == "HEAD":
            data = data[: data.index(b"\r\n\r\n") + 4]
        connection.answer(data, close=self._closes(request))

    def _note_aside(self, connection: Connection, request: Request, data: bytes) -> None:
        assert self._notes is not None  # noqa: S101
        status, body = int(data[9:12]), data[data.index(b"\r\n\r\n") + 4 :]
        ids = ids_of(request.headers, self._options.hosting, str(uuid4()))
        self._notes.passed(request, ids, status, len(body), self._auth_at(connection))
        if ids is not None:
            self._notes.aside(request, ids, status, body)

    def _aside(self, connection: Connection, request: Request) -> bytes:
        path, line = request.path, self._connection_line(request)
        if path not in ("/", "/redline/stats") and path not in self._swagger_paths:
            return self._writer.plain(404, message(f"{path} is not served here"), _JSON, line)
        if request.method not in ("GET", "HEAD"):
            return self._writer.plain(405, message(f"{request.method} is not taken here"), _JSON, line, allow="GET")
        if path == "/":
            return self._writer.plain(200, b"Healthy", "text/html; charset=utf-8", line)
        if path == "/redline/stats":
            return self._writer.plain(200, json.dumps(self.figures()).encode(), _JSON, line)
        return self._swagger(connection, request, line)

    def _other_method(self, request: Request) -> bytes:
        line = self._connection_line(request)
        if request.method == "OPTIONS":
            return self._writer.plain(200, b"", "text/html; charset=utf-8", line)
        text = message(f"{request.method} is not taken here; score with POST")
        return self._writer.plain(405, text, _JSON, line, allow="GET, POST, OPTIONS")

    def _swagger(self, connection: Connection, request: Request, line: bytes) -> bytes:
        cause = self._refused_unread(connection, request, None)
        if cause is not None and cause is not Cause.LONG_ID:
            return self._writer.canned(cause, None, line)[1]
        version = "2"
        for part in request.query.split("&"):
            name, _, value = part.partition("=")
            version = value if name == "version" else version
        document = self.model.swagger(version)
        if document is None:
            return self._writer.plain(404, message(f"no swagger document of version {version}"), _JSON, line)
        return self._writer.plain(200, document, _JSON, line)

    def figures(self) -> dict[str, object]:
        """The JSON of /redline/stats."""
        frontend = self.frontend
        uptime_ns = time.monotonic_ns() - self.start_ns
        return figures(self.by_status, frontend.in_flight_count, frontend.in_flight_max, self.health, uptime_ns)

    def _tick(self) -> None:
        self.health.tick(time.monotonic_ns(), time.process_time_ns())
        if self._tick_count % _HOUSEKEEPING_TICKS == 0:
            self._writer.date = f"Date: {formatdate(usegmt=True)}\r\n".encode()
            if self._log is not None:
                self._log.flush()
            if self._notes is not None:
                workers = sum(pool.workers for pool in self.frontend.pools)
                ready_count = workers // self._options.max_concurrent
                self._notes.load(len(self.connections), self.opened_count, ready_count)
        self._tick_count += 1
        self._loop.call_at(self.health.next_due_ns / 1e9, self._tick)

    @staticmethod
    def _auth_at(connection: Connection) -> str:
        return cast(Entrance, connection.entrance).auth

    def _closes(self, request: Request) -> bool:
        return self.is_draining or not request.keep_alive

    def _connection_line(self, request: Request) -> bytes:
        if self._closes(request):
            return _CLOSE
        return _KEEP if request.is_http10 else b""

    def _served(self, exchange: Exchange, answer: ModelAnswer, spent_ns: int) -> Served:
        request, own_pid = exchange.request, os.getpid()
        worker = int.from_bytes(exchange.ids.request.encode()[-2:]) % self._options.max_concurrent
        return Served(
            at_ns=time.time_ns(),
            pid=own_pid + 1 + worker,
            master_pid=own_pid,
            method=request.method,
            target="/score" + (f"?{request.query}" if request.query else ""),
            headers=tuple(request.headers.items()),
            body=request.body,
            answer=answer,
            spent_ns=spent_ns,
            timeout_ns=self._options.request_timeout_ns,
        )


def front_end(options: Options) -> FrontEnd[Exchange]:
    """The admission of the hosting. Pools have no worker until `Service.set_ready`."""
    has_router = options.hosting in ("aks", "kubernetes")
    queue_length = options.queue_length if has_router and options.queue_wait_ns else 0
    count = options.instances if options.routing == "random" else 1
    places = None if options.places_per_worker is None else 0
    return FrontEnd(
        [Pool(0, places, queue_length=queue_length) for _ in range(count)],
        request_timeout_ns=None if options.hosting == "local" else options.request_timeout_ns,
        queue_wait_ns=options.queue_wait_ns,
        refuse_until_ready=options.places_per_worker is not None,
        rate_limit=None if options.rate_limit_rps is None else RateLimit(options.rate_limit_rps),
    )
