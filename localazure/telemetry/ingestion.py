"""The ingestion API: telemetry items out of a request body, and what the service says of each. No I/O."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable
from typing import Any

from localazure.http1 import Request
from localazure.telemetry.envelopes import MAX_ITEM_BYTES, BadItemError
from localazure.telemetry.replies import Reply, json_reply

PATHS = ("/v2.1/track", "/v2/track")
MAX_BODY_BYTES = 64 * 2**20  # unpacked too
_MAX_ITEMS = 64_000
_GZIP = 16 + zlib.MAX_WBITS


class BadBodyError(Exception):
    """A body from which no items can be read."""


class RateLimit:
    """At most `limit` items in each whole second; None: no bound."""

    def __init__(self, limit: int | None, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock_s = clock_s
        self._second = 0
        self._count = 0

    def passes(self, item_count: int) -> bool:
        """True when so many more items still fit into this second; a post is taken whole or not at all."""
        second = int(self._clock_s())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += item_count
        return self._limit is None or self._count <= self._limit


def answer(
    request: Request,
    instrumentation_key: str,
    store: Callable[[object], None],
    passes: Callable[[int], bool],
) -> Reply:
    """200 when every item was stored, 206 when some were, 400 when none; `store` raises BadItemError.

    429 when so many items do not pass.
    """
    try:
        texts = items_in(_unpacked(request))
    except BadBodyError as error:
        return _counts(0, 0, [{"index": 0, "statusCode": 400, "message": str(error)}], 400)
    if not passes(len(texts)):
        too_many = {"index": 0, "statusCode": 429, "message": "Too many telemetry items in one second"}
        return _counts(len(texts), 0, [too_many], 429)
    errors = []
    for index, item in enumerate(texts):
        try:
            store(_checked(item, instrumentation_key))
        except BadItemError as error:
            errors.append({"index": index, "statusCode": 400, "message": str(error)})
    accepted = len(texts) - len(errors)
    status = 200 if not errors else 206 if accepted else 400
    return _counts(len(texts), accepted, errors, status)


def _counts(received: int, accepted: int, errors: list[dict[str, Any]], status: int) -> Reply:
    return json_reply({"itemsReceived": received, "itemsAccepted": accepted, "errors": errors}, status)


def _unpacked(request: Request) -> bytes:
    """The body without its gzip coding, at most `MAX_BODY_BYTES` of it. Raises BadBodyError."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding in ("", "identity"):
        return request.body
    if coding not in ("gzip", "x-gzip"):
        raise BadBodyError(f"content coding {coding!r} is not taken")
    unpacker = zlib.decompressobj(_GZIP)
    try:
        body = unpacker.decompress(request.body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise BadBodyError("the body is not gzip") from None
    if len(body) > MAX_BODY_BYTES:
        raise BadBodyError(f"the body unpacks to more than {MAX_BODY_BYTES} bytes")
    if not unpacker.eof:
        raise BadBodyError("the gzip body is cut")
    return body


def items_in(body: bytes) -> list[object]:
    """The items of a JSON array, of one object, or of one object per line. Raises BadBodyError.

    >>> items_in(b'[{"a": 1}, {}]'), items_in(b'{"a": 1}'), items_in(b'{"a": 1}\\n{"b": NaN}\\n')
    ([{'a': 1}, {}], [{'a': 1}], [{'a': 1}, {'b': 'NaN'}])
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadBodyError("the body is not UTF-8") from None
    try:
        document = _read(text)
        items = document if isinstance(document, list) else [document]
    except (ValueError, RecursionError):
        items = [_line(line) for line in text.splitlines() if line.strip()]
        if not any(isinstance(item, dict) for item in items):
            raise BadBodyError("the body is not JSON") from None
    if not items:
        raise BadBodyError("the body holds no items")
    if len(items) > _MAX_ITEMS:
        raise BadBodyError(f"more than {_MAX_ITEMS} items")
    return items


def _line(text: str) -> object:
    try:
        return _read(text)
    except (ValueError, RecursionError):
        return None


def _read(text: str) -> object:
    """NaN and Infinity, for which JSON has no numbers, become texts."""
    document: object = json.loads(text, parse_constant=str)
    return document


def _checked(item: object, instrumentation_key: str) -> object:
    if not isinstance(item, dict):
        raise BadItemError("100: the item is not a JSON object")
    if str(item.get("iKey", "")).lower() != instrumentation_key.lower():
        raise BadItemError("Invalid instrumentation key")
    if len(json.dumps(item, ensure_ascii=False).encode("utf-8", "replace")) > MAX_ITEM_BYTES:
        raise BadItemError(f"Telemetry item is larger than {MAX_ITEM_BYTES} bytes")
    return item
