"""Chunks of a log, however they were cut, to blocks of whole lines in UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

LINE_BYTES = 262_144
"""What follows in a longer line is not read."""
_BOMS = ((b"\xef\xbb\xbf", None), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def blocks(chunks: Iterable[bytes], *, pauses: bool = False) -> Iterator[bytes]:
    """Blocks that end with a line feed, all but perhaps the last. A byte order mark is obeyed.

    With `pauses`, an empty chunk gives an empty block: nothing more has come for a while.
    """
    carry = b""
    for chunk in _in_utf8(chunks):
        if not chunk and pauses:
            yield b""
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield b"".join((carry, memoryview(chunk)[:cut]))
            carry = chunk[cut:]
        else:
            carry += chunk
        carry = carry[: LINE_BYTES + 1]
    if carry:
        yield carry


def _in_utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks without byte order mark; UTF-16 as UTF-8."""
    iterator = iter(chunks)
    head = b""
    for chunk in iterator:
        head += chunk
        if len(head) >= 3:
            break
    bom, encoding = next(((mark, name) for mark, name in _BOMS if head.startswith(mark)), (b"", None))
    if encoding is None:
        yield head[len(bom) :]
        yield from iterator
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    yield decoder.decode(head[len(bom) :]).encode("utf-8", "replace")
    for chunk in iterator:
        yield decoder.decode(chunk).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")
