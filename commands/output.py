"""Where output goes: data to stdout, talk to stderr."""

from __future__ import annotations

import os
import shutil
import sys

from scoring.errors import RedlineError


def say(text: str) -> None:
    """Data, on stdout. A reader that has gone away is no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def talk(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def complain(error: RedlineError) -> None:
    talk(f"error: {error.message}" + (f"\n\nhint: {error.hint}" if error.hint else ""))


def screen() -> tuple[int, bool]:
    """Columns of the terminal, and whether stdout shows colour."""
    return shutil.get_terminal_size().columns, sys.stdout.isatty() and "NO_COLOR" not in os.environ
