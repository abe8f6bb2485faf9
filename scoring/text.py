"""Foreign bytes made harmless: what a server, a log or a file says can be shown in a terminal, a page or a message.

The order matters: decode, escape sequences, controls, invisible characters, cut. Redaction is `scoring.redact`, before
the text leaves; escaping for HTML, CSV or Markdown belongs to the rendering.
"""

from __future__ import annotations

import re
import unicodedata

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, erase
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, hyperlinks; the payload goes with it
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS, SOS, PM, APC
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI in one C1 character
    r"|\x1b[ -/]*[0-~]"  # two-character sequences
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Categories that must not reach a screen: controls, formats (bidi, zero-width, tags), surrogates, line separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_CUT = re.compile(r"… \[\d{1,12} more characters\]\Z")


def harmless(foreign: bytes | str, *, max_chars: int = 4096, keep_newlines: bool = False) -> str:
    """Printable text: no control, bidi or zero-width character, at most `max_chars` and a note of what was cut.

    An escape sequence is shown as `␛`, a byte that is no UTF-8 as `\\xNN`, a newline or tab as `\\n`, `\\t` unless
    `keep_newlines`. Applied twice it gives the same text.

    >>> harmless(b"\\x1b[31mred\\x1b[0m\\xff\\n")
    '␛red␛\\\\xff\\\\n'
    """
    text = foreign.decode("utf-8", "backslashreplace") if isinstance(foreign, bytes) else foreign
    if text.isascii() and text.isprintable():
        return _cut(text, max_chars)
    text = _ESCAPE_SEQUENCE.sub("␛", text)
    return _cut("".join(_visible(char, keep_newlines) for char in text), max_chars)


def _visible(char: str, keep_newlines: bool) -> str:
    if keep_newlines and char in "\n\t":
        return char
    if char in _NAMED:
        return _NAMED[char]
    if char == "\x1b":
        return "␛"
    code = ord(char)
    if unicodedata.category(char) not in _UNSEEN:
        return char
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cut(text: str, max_chars: int) -> str:
    noted = _CUT.search(text)
    if len(text) <= max_chars or (noted is not None and noted.start() <= max_chars):
        return text
    return f"{text[:max_chars]}… [{len(text) - max_chars} more characters]"
