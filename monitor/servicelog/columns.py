"""Lines of a block as columns: eight bytes of every line compared at once, as one number."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.uint64]
"""Four words a line."""

PADDING = bytes(512)
"""Stands after a block, so that a word may be read at any place of it."""


def _each(byte: int) -> np.uint64:
    """A word of eight such bytes."""
    return np.uint64(int.from_bytes(bytes([byte]) * 8, "little"))


_HIGH, _DIGIT, _SIX, _LOW = _each(0xF0), _each(0x30), _each(0x06), _each(0x0F)
_ONES, _TOPS = _each(0x01), _each(0x80)
_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(9)], np.uint64)
_ALL = np.uint64(2**64 - 1)
_PAIRS, _FOURS, _HALF = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF), np.uint64(0xFFFFFFFF)


def _table(size: int, most: int, unit: int) -> Ints:
    """`unit` times the number by its digits, `size` of them, where it is below `most`; far below 0 for other bytes."""
    found = np.full(256**size, NO_NUMBER, np.int64)
    for number in range(most):
        found[int.from_bytes(b"%0*d" % (size, number), "little")] = number * unit
    return found


NO_NUMBER = -(2**40)
ONES, TENS, SECONDS = _table(1, 10, 1), _table(2, 100, 10), _table(2, 60, 1000)
_BYTE, _TWO_BYTES = np.uint64(0xFF), np.uint64(0xFFFF)


class Columns:
    """A block with its padding. Places are byte offsets into it."""

    def __init__(self, padded: bytes) -> None:
        self.bytes = np.frombuffer(padded, np.uint8)
        self._words: Words = np.ndarray((len(padded) - 7,), "<u8", buffer=padded, strides=(1,))
        self._rows = np.ndarray((len(padded) - 31,), "V32", buffer=padded, strides=(1,))

    def words(self, places: Ints) -> Words:
        """The eight bytes from each place on, the first one lowest."""
        found: Words = self._words[places]
        return found

    def rows(self, places: Ints) -> Rows:
        """The 32 bytes from each place on, as four words: read together for little more than one of them."""
        found: Rows = self._rows[places].view("<u8").reshape(-1, 4)
        return found

    def has(self, places: Ints, text: bytes) -> Bools:
        """Where the text stands. A `0` in it stands for any digit, a `?` for any byte."""
        if len(text) <= 8:
            return matches(self.words(places), text)
        differing = np.zeros(len(places), np.uint64)
        for offset in range(0, len(text), 32):
            differing |= difference(self.rows(places + offset), text[offset : offset + 32])
        found: Bools = differing == 0
        return found

    def has_exactly(self, places: Ints, text: bytes) -> Bools:
        """Where the text of at most eight bytes stands, digits and all."""
        found: Bools = (self.words(places) & _MASKS[len(text)]) == np.uint64(int.from_bytes(text, "little"))
        return found


def word(text: bytes) -> np.uint64:
    """Eight bytes as one number."""
    return np.uint64(int.from_bytes(text, "little"))


def matches(words: Words, text: bytes) -> Bools:
    """Which words begin with the text. A `0` in it stands for any digit, a `?` for any byte."""
    mask, value, digits = _pattern(text)
    found: Bools = (words & mask) == value
    return found & _all_digits(words, digits) if digits else found


def difference(rows: Rows, text: bytes, first: int = 0) -> Words:
    """0 for the rows in which the text stands, from the word `first` on. `0` is any digit, `?` any byte.

    A digit differs from `0` by 0 to 9: neither that nor six more reaches the upper half of the byte.
    """
    found = np.zeros(len(rows), np.uint64)
    for place, offset in enumerate(range(0, len(text), 8), first):
        words = rows[:, place]
        fixed, value, digits = _pattern(text[offset : offset + 8])
        if not fixed and not digits:
            continue
        if not digits:
            found |= (words ^ value) if fixed == _ALL else (words ^ value) & fixed
            continue
        away = words ^ (value | (digits & _DIGIT))
        found |= (away | (away + (digits & _SIX))) & (fixed | (digits & _HIGH))
    return found


def span(rows: Rows, place: int) -> Words:
    """The eight bytes of each row from that byte on; the last seven bytes of a row begin none."""
    word, byte = divmod(place, 8)
    if not byte:
        whole: Words = rows[:, word]
        return whole
    low: Words = rows[:, word] >> np.uint64(8 * byte)
    return low | (rows[:, word + 1] << np.uint64(64 - 8 * byte))


def are_digits(words: Words, count: int | Ints) -> Bools:
    """Which words begin with so many digits."""
    return _all_digits(words, _MASKS[count])


def are_digits_or_dots(words: Words, count: Ints) -> Bools:
    """Which words begin with so many bytes from `.` to `9`: digits, dots and slashes."""
    tops = _MASKS[count] & _TOPS
    low, high = (words & ~_TOPS) + _each(0x80 - 0x2E), (words & ~_TOPS) + _each(0x80 - 0x3A)
    found: Bools = (low & ~high & ~words & tops) == tops
    return found


def number_in(words: Words, count: int | Ints) -> Ints:
    """The number that the first `count` digits of each word are, 1 to 8 of them, if digits they are."""
    gap = np.uint64(64) - np.uint64(8) * np.asarray(count, np.uint64)
    digits = (words << gap) & _LOW
    pairs = (digits * np.uint64(10) + (digits >> np.uint64(8))) & _PAIRS
    fours = (pairs * np.uint64(100) + (pairs >> np.uint64(16))) & _FOURS
    whole = (fours * np.uint64(10_000) + (fours >> np.uint64(32))) & _HALF
    return whole.astype(np.int64)


def looked_up(table: Ints, words: Words, place: int) -> Ints:
    """What a table tells for the byte of each word at that place, or for the two from there on."""
    mask = _BYTE if len(table) == 256 else _TWO_BYTES
    return table[((words >> np.uint64(8 * place)) & mask).view(np.int64)]


def three_digits(words: Words, place: int) -> Ints:
    """The number that three digits of each word are; below 0 where they are none."""
    return looked_up(TENS, words, place) + looked_up(ONES, words, place + 2)


def place_of(words: Words, byte: bytes) -> Ints:
    """The first place of the byte in each word; 8 where it is not there."""
    differing = words ^ _each(byte[0])
    there = (differing - _ONES) & ~differing & _TOPS
    below: Ints = (np.bitwise_count((there & (~there + np.uint64(1))) - np.uint64(1)) >> 3).astype(np.int64)
    return below


def letter(words: Words, place: int) -> Words:
    """One byte of each word."""
    found: Words = (words >> np.uint64(8 * place)) & np.uint64(255)
    return found


@lru_cache(maxsize=4096)
def _pattern(text: bytes) -> tuple[np.uint64, np.uint64, np.uint64]:
    """The bytes that are fixed, what they are, and those that are digits, as words."""
    fixed = bytes(0 if one in b"0?" else 255 for one in text)
    value = bytes(map(int.__and__, fixed, text))
    digits = bytes(255 if one == 0x30 else 0 for one in text)
    first, second, third = (np.uint64(int.from_bytes(part, "little")) for part in (fixed, value, digits))
    return first, second, third


def _all_digits(words: Words, mask: npt.NDArray[np.uint64] | np.uint64) -> Bools:
    high, digit = mask & _HIGH, mask & _DIGIT
    found: Bools = (((words & high) ^ digit) | (((words + (mask & _SIX)) & high) ^ digit)) == 0
    return found
