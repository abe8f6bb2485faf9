"""Secrets and payload data in lines: what, how often and where first; of the value a hash only."""

from __future__ import annotations

import re
from dataclasses import dataclass

from monitor.servicelog.blocks import LINE_BYTES
from scoring import secretspans
from scoring.leaks import leaks_in, sha256_prefix
from scoring.markers import MarkerTable
from scoring.redact import redact
from scoring.served import Leak

PAYLOAD = "payload_data"
STOP_LOGGING = (
    "Nothing to rotate, but request bodies may hold personal data: remove the print or logging call from the entry"
    " script, redeploy, and shorten the retention of these logs"
)
MOST_LEAKS = 1_000
_MOST_REMEMBERED = 4_096
_PIECES = (65_536, 2_048)
_MOST_KEY_LINES = 100
_PAYLOAD_MARKS = (b"eceived input", b"equest body", b"equest data", b"equest payload", b"aw_data", b"ayload")
_ANY_CASE = tuple(one.encode() for one in secretspans.ANY_CASE)
_EXACT = (*(one.encode() for one in secretspans.EXACT), *_PAYLOAD_MARKS)
MARKS = (*_ANY_CASE, *_EXACT)
"""One of these stands in every line with a finding."""
_MARKS = MarkerTable(_ANY_CASE, _EXACT)
_PAYLOAD = re.compile(
    rb"(?:\b[Rr]eceived input|\b[Rr]equest (?:body|data|payload)|\b(?:raw_data|[Pp]ayload))\s?(?:is)?\s?[:=]\s?"
    rb"(?P<value>b?[\"']?[\[{].*)"
)
_KEY_BEGINS, _KEY_ENDS = b"PRIVATE KEY", b"-----END"


def may_tell(text: bytes) -> bool:
    """Whether a mark of a secret or of payload data stands in the text."""
    return _MARKS.any_in(text)


@dataclass(slots=True)
class _Seen:
    type: str
    rotate: str
    sha256_prefix: str
    where: str
    count: int = 0


class Leaks:
    """Owns what was found so far, over all files."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._of_line: dict[bytes, list[_Seen]] = {}
        self._key: list[bytes] = []  # lines of a private key that is not complete
        self._key_where = ""
        self._payload_before = b""

    def look(self, file: str, first: int, block: bytes) -> None:
        """Whole lines in order; the first one has that number in the file."""
        self._look(file, first, block, _PIECES)

    def look_between(self, file: str, first: int, block: bytes, others: bytes) -> None:
        """Whole lines; `others` are those of them in which a secret can stand."""
        if self._key or _MARKS.any_in(others):
            self._look(file, first, block, _PIECES)

    def _look(self, file: str, first: int, block: bytes, pieces: tuple[int, ...]) -> None:
        """Only where a marker stands are lines looked at one by one."""
        if not self._key and not _MARKS.any_in(block):
            return
        if not pieces:
            for number, line in enumerate(block.split(b"\n"), first):
                body = line[:LINE_BYTES].removesuffix(b"\r")
                self._secrets(f"{file}:{number}", body)
                self._payload(f"{file}:{number}", body)
            return
        start = 0
        while start < len(block):
            end = block.find(b"\n", min(start + pieces[0], len(block))) + 1 or len(block)
            piece = block[start:end]
            self._look(file, first, piece.removesuffix(b"\n"), pieces[1:])
            first += piece.count(b"\n")
            start = end

    def close(self) -> None:
        """The file ends: a key that is not complete is judged as it is."""
        self._whole_key()

    def found(self) -> tuple[Leak, ...]:
        """In the order of their first places."""
        return tuple(
            Leak(one.type, one.count, f"service_log {one.where}", one.sha256_prefix, one.rotate)
            for one in self._seen.values()
        )

    def _secrets(self, where: str, body: bytes) -> None:
        if self._key:
            self._key.append(body)
            if _KEY_ENDS in body or len(self._key) > _MOST_KEY_LINES:
                self._whole_key()
            return
        if _KEY_BEGINS in body and _KEY_ENDS not in body:
            self._key, self._key_where = [body], where
            return
        known = self._of_line.get(body)
        if known is None:
            known = self._of_text(where, body)
            if len(self._of_line) < _MOST_REMEMBERED:
                self._of_line[body] = known
        for seen in known:
            seen.count += 1

    def _of_text(self, where: str, text: bytes) -> list[_Seen]:
        """What stands in the text, once for each place."""
        return [
            seen
            for one in leaks_in(text)
            for seen in [self._of(one.type, one.rotate, one.value, where)] * one.count
            if seen is not None
        ]

    def _of(self, type_: str, rotate: str, value: str, where: str) -> _Seen | None:
        key = (type_, sha256_prefix(value))
        if key not in self._seen and len(self._seen) < MOST_LEAKS:
            self._seen[key] = _Seen(type_, rotate, key[1], where)
        return self._seen.get(key)

    def _whole_key(self) -> None:
        text, self._key = b"\n".join(self._key), []
        for seen in self._of_text(self._key_where, text) if text else ():
            seen.count += 1

    def _payload(self, where: str, body: bytes) -> None:
        before, self._payload_before = self._payload_before, body
        match = _PAYLOAD.search(body)
        if match is None or (before and body.partition(b",")[2] == before):
            return  # the same print once more, with a request id in front
        key = (PAYLOAD, "")
        if key not in self._seen:
            value = redact(match["value"].decode("utf-8", "backslashreplace"))
            self._seen[key] = _Seen(PAYLOAD, STOP_LOGGING, sha256_prefix(value), where)
        self._seen[key].count += 1
