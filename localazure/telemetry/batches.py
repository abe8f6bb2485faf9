"""What the workers of the built-in model keep until they send it: a batch each, lost when the worker dies. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from localazure.telemetry.records import Modelled

Flushed = tuple[int, list[Modelled]]


class Batches:
    """The open batch of each worker. A batch is sent `flush_ns` after its first request."""

    def __init__(self, flush_ns: int) -> None:
        self._flush_ns = flush_ns
        self._open: dict[int, list[Modelled]] = {}
        self.lost_count = 0

    def add(self, record: Modelled) -> Flushed | None:
        """When the batch before this request was sent, and what was in it; None when none was sent.

        A request without a status killed its worker: what that worker had not sent is lost, itself included.
        """
        batch = self._open.get(record.worker)
        flushed = None
        if batch and record.done_ns >= batch[0].done_ns + self._flush_ns:
            flushed = (batch[0].done_ns + self._flush_ns, batch)
            batch = None
        if record.status is None:
            self.lost_count += len(batch or ())
            self._open.pop(record.worker, None)
        elif batch:
            batch.append(record)
        else:
            self._open[record.worker] = [record]
        return flushed

    def due(self, now_ns: int) -> Iterator[Flushed]:
        """The batches that were sent up to `now_ns`, and when."""
        for worker, batch in list(self._open.items()):
            sent_ns = batch[0].done_ns + self._flush_ns
            if sent_ns <= now_ns:
                del self._open[worker]
                yield sent_ns, batch
