"""Everything that was sent, kept raw until somebody asks; then the tables are filled and the query answered."""

from __future__ import annotations

import gc
import random
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zlib import crc32

from localazure.telemetry.batches import Batches
from localazure.telemetry.builtin_rows import envelopes_of, started
from localazure.telemetry.consolefile import ConsoleLine
from localazure.telemetry.endpoint_rows import console_row, console_rows, event_rows, traffic_row
from localazure.telemetry.envelopes import Row, rows_of
from localazure.telemetry.queries import Result, Span
from localazure.telemetry.records import Happened, Launched, Load, Modelled, Passed, Record, Switched, records_of
from localazure.telemetry.settings import Settings
from localazure.telemetry.tables import views

if TYPE_CHECKING:
    from localazure.telemetry.engine import Engine

MAX_ITEMS = 2_000_000
MAX_FRAME_BYTES = 512 * 2**20
NEWS_NS = 300_000_000  # after which it is known whether a worker died before it sent its batch
_SOURCES = {"requests": "requests", "exceptions": "exceptions", "traces": "traces"}
_TABLES = {
    "traffic": "AmlOnlineEndpointTrafficLog",
    "console": "AmlOnlineEndpointConsoleLog",
    "events": "AmlOnlineEndpointEventLog",
}
_REQUEST_ID = re.compile(r"""Request Id['"\\]+: ?['"\\]+([^'"\\]+)""")
_NEVER_SAMPLED = ("customMetrics", "performanceCounters")


class Store:
    """Owns the rows of one endpoint. Its methods may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        self.loads: list[Load] = []
        self.item_count = 0
        self.dropped_count = 0  # frames and requests that came when the store was full
        self._settings = settings
        self._random = random.Random(settings.seed)
        self._lock = threading.Lock()
        self._frames: list[tuple[int, bytes]] = []
        self._frame_bytes = 0
        self._frames_lock = threading.Lock()  # of its own: who fills the store does not wait for who empties it
        self._lines: deque[ConsoleLine] = deque()
        self._waiting: dict[str, list[dict[str, Any]]] = {}
        self._batches = Batches(settings.flush_ns)
        self._instances: dict[int, int] = {}  # pid of an inference server → its instance
        self._dropped = {_SOURCES[name] for name in settings.dropped if name in _SOURCES}
        self._has_app_insights = settings.has_app_insights
        self._engine: Engine | None = None

    @property
    def is_full(self) -> bool:
        return self.item_count >= MAX_ITEMS

    def add_frame(self, content: bytes) -> None:
        """What the endpoint told about some requests; beyond `MAX_FRAME_BYTES` unread it is lost."""
        with self._frames_lock:
            if self._frame_bytes + len(content) > MAX_FRAME_BYTES:
                self.dropped_count += 1
                return
            self._frames.append((time.time_ns(), content))
            self._frame_bytes += len(content)

    def add_lines(self, lines: Iterable[ConsoleLine]) -> None:
        """What the real inference server wrote."""
        self._lines.extend(lines)

    def add_item(self, envelope: object) -> None:
        """One telemetry item that arrives now. Raises BadItemError."""
        with self._lock:
            self._add_item(envelope, time.time_ns())

    def query(self, kql: str, span: Span, wait_s: float) -> Result:
        """Raises QueryError and QueryTimeoutError."""
        return self.refreshed().query(kql, span, max_rows=self._settings.max_rows, wait_s=wait_s)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The answer to our own SQL over the stored tables."""
        return self.refreshed().rows(sql, parameters)

    def refreshed(self) -> Engine:
        """The engine, its tables holding all that has arrived."""
        with self._lock, _without_collection():
            if self._engine is None:
                self._engine = self._made()
            with self._frames_lock:
                frames, self._frames, self._frame_bytes = self._frames, [], 0
            for arrived_ns, content in frames:
                for record in records_of(content):
                    self._add_record(record, arrived_ns)
            now_ns = time.time_ns()
            for sent_ns, batch in self._batches.due(now_ns - NEWS_NS):
                self._add_batch(batch, sent_ns)
            self._add_console()
            waiting, self._waiting = self._waiting, {}
            for table, rows in waiting.items():
                self._engine.load(table, rows)
            return self._engine

    def _made(self) -> Engine:
        from localazure.telemetry.engine import Engine

        settings, names = self._settings, self._settings.names
        shown = [table for source, table in _TABLES.items() if source not in settings.dropped]
        constants = {
            "app_id": names.app_id,
            "component_id": names.component_id,
            "component_path": names.component_id.lower(),
            "endpoint": names.endpoint,
            "deployment": names.deployment,
            "endpoint_path": names.endpoint_id.lower(),
            "location": names.location,
            "ml_workspace_guid": str(UUID(int=UUID(names.workspace_id).int ^ 1)),
            "subscription_id": names.subscription_id,
            "workspace_id": names.workspace_id,
            "workspace_name": names.workspace_name,
        }
        return Engine(views(shown if settings.has_traffic_log else ()), constants)

    def _add_record(self, record: Record, arrived_ns: int) -> None:
        match record:
            case Modelled():
                self._add_modelled(record, arrived_ns)
            case Passed():
                self._add_row(traffic_row(record), arrived_ns)
            case Load():
                self.loads.append(record)
            case Launched() | Happened():
                self._add_event(record, arrived_ns)
            case Switched():
                self._has_app_insights = record.is_on

    def _add_modelled(self, record: Modelled, arrived_ns: int) -> None:
        if self.is_full:
            self.dropped_count += 1
            return
        if self._has_app_insights:
            flushed = self._batches.add(record)
            if flushed is not None:
                self._add_batch(flushed[1], flushed[0])
        if record.status is None and self._has_app_insights:
            self._add_item(started(record.worker, record.done_ns, self._settings), arrived_ns)
        if self._settings.has_traffic_log:
            for row in console_rows(record, self._settings):
                self._add_row(row, arrived_ns)

    def _add_event(self, record: Launched | Happened, arrived_ns: int) -> None:
        if isinstance(record, Launched):
            if record.pid is not None:
                self._instances[record.pid] = record.instance
            elif self._has_app_insights:
                first = record.instance * self._settings.max_concurrent
                for worker in range(first, first + self._settings.max_concurrent):
                    self._add_item(started(worker, record.at_ns, self._settings), arrived_ns)
        if self._settings.has_traffic_log:
            for row in event_rows(record, self._settings):
                self._add_row(row, arrived_ns)

    def _add_batch(self, batch: Iterable[Modelled], sent_ns: int) -> None:
        for record in batch:
            for envelope in envelopes_of(record, self._settings):
                self._add_item(envelope, sent_ns, record.request_id)

    def _add_console(self) -> None:
        instance = 0
        while self._lines:
            line = self._lines.popleft()
            instance = instance if line.server_pid is None else self._instances.get(line.server_pid, 0)
            self._add_row(console_row(line.text, line.at_ns, instance, self._settings), line.at_ns)

    def _add_item(self, envelope: object, arrived_ns: int, key: str | None = None) -> None:
        """`key` is what a request has in common with what else is told of it: sampling keeps all of it, or none."""
        self.item_count += 1
        rows = rows_of(envelope, f"{self.item_count:08x}-{self._settings.names.app_id}")
        for row in rows:
            if row.table in self._dropped or not self._is_kept(row, key):
                continue
            self._add_row(row, arrived_ns)
            if self._settings.duplicate_ratio and self._random.random() < self._settings.duplicate_ratio:
                self._add_row(row, arrived_ns)

    def _is_kept(self, row: Row, key: str | None) -> bool:
        """Ingestion sampling; what its sender sampled is kept, and so are metrics. Adjusts the itemCount."""
        ratio, values = self._settings.sampling_ratio, row.values
        if ratio == 1 or row.table in _NEVER_SAMPLED or values["itemCount"] > 1:
            return True
        whole, rest = divmod(1 / ratio, 1)
        values["itemCount"] = int(whole) + (self._random.random() < rest)
        text = f"{self._settings.seed} {key or sampling_key(row)}"
        return crc32(text.encode("utf-8", "replace")) < ratio * 2**32

    def _add_row(self, row: Row, arrived_ns: int) -> None:
        values = row.values
        values["ingested"] = (arrived_ns + self._settings.delay_ns) // 1000
        self._waiting.setdefault(row.table, []).append(values)


def sampling_key(row: Row) -> str:
    """The request id where the dimensions tell it, in either of their wordings; else the operation; else the row."""
    match = _REQUEST_ID.search(row.values.get("customDimensions") or "")
    operation: str = row.values["operation_Id"]
    return match[1] if match else operation if operation.strip("0") else row.values["itemId"]


@contextmanager
def _without_collection() -> Iterator[None]:
    """Hundreds of thousands of rows are made and none of them is garbage: looking for it would double the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
