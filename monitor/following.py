"""Reads a log while it grows, as `tail -F` does: a file that is rotated or truncated is read on from its new start."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from monitor.servicelog.blocks import LINE_BYTES, blocks

CHUNK_BYTES = 1024 * 1024
_PAUSE_S = 0.2

Lines = Iterator[tuple[int, bytes] | None]
"""Lines with their numbers from 1; None where nothing more has come for a while."""


def followed(path: str) -> Iterator[Lines]:
    """The lines of the file at the path and of each that takes its place, without end."""
    while True:
        yield numbered(_until_replaced(path))


def arriving(file: BinaryIO) -> Iterator[bytes]:
    """What the pipe or file has, as it comes; empty where nothing has come for a while."""
    while True:
        ready, _, _ = select.select([file], [], [], _PAUSE_S)
        if not ready:
            yield b""
            continue
        chunk = file.read(CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


def numbered(chunks: Iterator[bytes]) -> Lines:
    """The lines of chunks, cut where they are longer than LINE_BYTES."""
    number = 0
    for block in blocks(chunks, pauses=True):
        if not block:
            yield None
            continue
        for line in block.removesuffix(b"\n").split(b"\n"):
            number += 1
            yield number, line[:LINE_BYTES].removesuffix(b"\r")


def _until_replaced(path: str) -> Iterator[bytes]:
    with _opened_once_there(path) as file:
        while True:
            chunk = file.read(CHUNK_BYTES)
            if chunk:
                yield chunk
                continue
            yield b""
            if _is_replaced(path, file):
                rest = file.read()
                if rest:
                    yield rest
                return
            time.sleep(_PAUSE_S)


def _opened_once_there(path: str) -> BinaryIO:
    """Between rotation and the next line there may be no file."""
    while True:
        try:
            return open(path, "rb", buffering=0)
        except FileNotFoundError:
            time.sleep(_PAUSE_S)


def _is_replaced(path: str, file: BinaryIO) -> bool:
    here = os.fstat(file.fileno())
    if here.st_size < file.tell():
        return True
    try:
        there = Path(path).stat()
    except FileNotFoundError:
        return False
    return (there.st_ino, there.st_dev) != (here.st_ino, here.st_dev)
