"""Where output goes: data to stdout, talk to stderr."""

from __future__ import annotations

import codecs
import os
import shutil
import sys
from typing import TextIO

from scoring.errors import RedlineError

_ESCAPED = "redline-escaped"
MAX_MESSAGE_CHARS = 8192


def say(text: str) -> bool:
    """Data, on stdout; False where nobody reads it any longer, which is no error.

    RedlineError where stdout takes no more. What its encoding lacks is written as JSON would, `\\u2013`.
    """
    stream = _ready(sys.stdout)
    if stream is None:
        return False
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _discard(stream)
        return False
    except OSError as error:
        _discard(stream)
        raise RedlineError(f"stdout cannot be written: {error.strerror}", "df -h; or write elsewhere") from error
    return True


def talk(text: str) -> None:
    """Words for the person, on stderr, where there is one."""
    stream = _ready(sys.stderr)
    if stream is None:
        return
    try:
        print(text, file=stream, flush=True)
    except OSError:
        _discard(stream)


def complain(error: RedlineError) -> None:
    """What went wrong and what to type next, whatever stood in names and files."""
    talk(f"error: {_clean(error.message)}" + (f"\n\nhint: {_clean(error.hint)}" if error.hint else ""))


def screen() -> tuple[int, bool]:
    """Columns of the terminal, and whether stdout shows colour."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns, is_terminal and "NO_COLOR" not in os.environ


def _clean(text: str) -> str:
    from scoring.redact import redact
    from scoring.text import harmless

    return harmless(redact(text), max_chars=MAX_MESSAGE_CHARS, keep_newlines=True)


def _ready(stream: TextIO | None) -> TextIO | None:
    """The stream, which refuses no character; None where the process was started without it."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors=_ESCAPED)
    return stream


def _discard(stream: TextIO) -> None:
    """What else is written to the stream goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """The characters that cannot be encoded, as `\\uNNNN`: the same in prose and inside a JSON string."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (units[place : place + 2].hex() for place in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end


codecs.register_error(_ESCAPED, _escaped)
