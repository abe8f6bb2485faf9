"""Which markers stand in a chunk of bytes: about a gigabyte a second where none does.

Two neighbours of each marker's three rarest bytes are looked up for every second byte of the chunk: one of the two
pairs falls on an even place. Only where a pair is known is the marker itself compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

Letters = npt.NDArray[np.uint8]
_FIRST, _LAST = 1, 2

# What ordinary lines look like: pairs that stand here are avoided where a marker has others.
_ORDINARY = (
    b"2026-01-01 10:00:00,618 i [784] gunicorn.access - 127.0.0.1 - - [01/jan/2026:10:00:00 +0000]"
    b' "post /score http/1.1" 200 18 "-" "apachebench/2.3" azmlinfsrv - post /score 200 0.984ms 18'
    b" azmlinfsrv.print - scoring ok 1 root | info | validation request content-type scoring timer is set to 60.0"
    b' "mozilla/5.0 (x11; linux x86_64) applewebkit/537.36 (khtml, like gecko) chrome/120 safari"'
    b" python-requests/2.31 curl/7.88.1 go-http-client kube-probe/1.27 azmlinfsrv.trace - model_data_collection"
    b" worker booting with pid exception traceback error warning value result seconds model input output"
)
_SMALL_BYTES = 4096  # below this the table costs more than it saves


class MarkerTable:
    """The pairs and triples of a set of markers, ready to be looked up in chunks.

    `any_case` are in lower case, of three letters or more, and stand in any case; `exact` stand as they are.
    """

    def __init__(self, any_case: Sequence[bytes], exact: Sequence[bytes]) -> None:
        self._any_case, self._exact = tuple(any_case), tuple(exact)
        self._short = tuple(marker for marker in (*any_case, *exact) if len(marker) < 3)
        self._pairs = np.zeros(65536, dtype=np.uint8)  # 1: begins a triple, 2: ends one, 3: both
        self._hashes = np.zeros(65536, dtype=np.bool_)
        self._triples: dict[bytes, list[tuple[int, bytes]]] = {}
        for marker in (*any_case, *exact):
            if len(marker) >= 3:
                self._add(marker, is_any_case=marker in self._any_case)

    def _add(self, marker: bytes, *, is_any_case: bool) -> None:
        offset = min(range(len(marker) - 2), key=lambda i: _commonness(marker[i : i + 3]))
        for triple in _cases(marker[offset : offset + 3]) if is_any_case else [marker[offset : offset + 3]]:
            self._triples.setdefault(triple, []).append((offset, marker))
            self._pairs[triple[0] + 256 * triple[1]] |= _FIRST
            self._pairs[triple[1] + 256 * triple[2]] |= _LAST
            self._hashes[_hashed(*(np.array([letter], dtype=np.uint8) for letter in triple))] = True

    def any_in(self, chunk: bytes) -> bool:
        """Whether one of the markers stands in the chunk."""
        return next(self._standing(chunk), None) is not None

    def all_in(self, chunk: bytes) -> set[bytes]:
        """The markers that stand in the chunk."""
        return set(self._standing(chunk))

    def _standing(self, chunk: bytes) -> Iterator[bytes]:
        if len(chunk) < _SMALL_BYTES:
            low = chunk.lower()
            yield from (marker for marker in self._any_case if marker in low)
            yield from (marker for marker in self._exact if marker in chunk)
            return
        yield from (marker for marker in self._short if marker[-1:] in chunk and marker in chunk)
        yield from self._long(chunk)

    def _long(self, chunk: bytes) -> Iterator[bytes]:
        yielded: set[bytes] = set()
        for start in self._places(chunk):
            for offset, marker in self._triples.get(chunk[start : start + 3], ()):
                begin = start - offset
                if begin < 0 or marker in yielded:
                    continue
                there = chunk[begin : begin + len(marker)]
                if there == marker or (there.lower() == marker and marker in self._any_case):
                    yielded.add(marker)
                    yield marker

    def _places(self, chunk: bytes) -> list[int]:
        """Where a triple may begin: every place where one does, and few others."""
        raw = np.frombuffer(chunk, dtype=np.uint8)
        known = self._pairs.take(np.frombuffer(chunk, dtype="<u2", count=len(chunk) // 2))
        even = np.flatnonzero(known != 0)
        ends = known[even]
        starts = np.concatenate((even[(ends & _FIRST) > 0] * 2, even[(ends & _LAST) > 0] * 2 - 1))
        starts = starts[(starts >= 0) & (starts <= len(raw) - 3)]
        codes = _hashed(raw[starts], raw[starts + 1], raw[starts + 2])
        return np.unique(starts[self._hashes[codes]]).tolist()  # type: ignore[no-any-return]


def _commonness(triple: bytes) -> tuple[int, ...]:
    """Sorts triples by how ordinary their pairs are, and letters after signs."""
    counts = [_ORDINARY.count(pair) for pair in (triple[:2], triple[1:])]
    return max(counts), sum(counts), sum(triple[i : i + 1].isalpha() for i in range(3))


def _cases(triple: bytes) -> list[bytes]:
    """The triple in every mixture of cases."""
    return [bytes(letters) for letters in product(*({letter, *bytes((letter,)).upper()} for letter in triple))]


def _hashed(first: Letters, second: Letters, third: Letters) -> npt.NDArray[np.uint16]:
    """A number that few other threes of bytes share."""
    high = first.astype(np.uint16) * np.uint16(961) + second.astype(np.uint16) * np.uint16(31)
    return high + third.astype(np.uint16)
