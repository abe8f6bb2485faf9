"""What differs from one message to the next, taken out: numbers, ids, times, addresses, quoted values, folders."""

from __future__ import annotations

import re

MASK = "<*>"

_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_ACCESS_TIME = r"\d{1,2}/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?: [+-]\d{4})?"
_CLOCK = r"\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?"
_UUID = r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"
_ADDRESS = r"\b0x[0-9a-fA-F]+"
_HEX = r"\b(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}\b"
_ID = r"\b(?=[A-Za-z_]{0,40}\d)(?=\w{0,40}[A-Za-z]\w{0,40}\d)[A-Za-z0-9_]{20,}\b"
_IP = r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"
_QUOTED = r"(?<![\w])[bru]?(?:\"(?:[^\"\\\n]|\\.){0,400}\"|'(?:[^'\\\n]|\\.){0,400}'(?!\w)|`[^`\n]{0,400}`)"
_NUMBER = r"(?<![\w])[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?"
_VALUE = re.compile("|".join((_QUOTED, _TIME, _ACCESS_TIME, _CLOCK, _UUID, _ADDRESS, _HEX, _ID, _IP, _NUMBER)))
_FOLDERS = re.compile(r"(?<![\w.:/\\>-])(?:[A-Za-z]:)?(?:[\\/][\w.@+~-]+)+[\\/](?=[\w.@+~-]+)")
_RUN_OF_MASKS = re.compile(rf"{re.escape(MASK)}(?:[\s,;:]*{re.escape(MASK)})+")


def masked(text: str) -> str:
    """The text with `<*>` where two messages of one kind differ; a path keeps its last part, a word its digits.

    >>> masked("Request 42 of '/a/b' failed after 1.5s in /var/app/score.py")
    'Request <*> of <*> failed after <*>s in score.py'
    >>> masked("Input contains NaN or a value too large for dtype('float32').")
    'Input contains NaN or a value too large for dtype(<*>).'
    """
    return _RUN_OF_MASKS.sub(MASK, _VALUE.sub(MASK, _FOLDERS.sub("", text)))
