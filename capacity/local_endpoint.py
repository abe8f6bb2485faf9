"""Edge: a local endpoint beside us for as long as a block runs. It is a child process that stops with us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from capacity.drive import import_path
from scoring.errors import Exit, RedlineError
from scoring.text import harmless

PAYLOAD = b'{"data": [[1, 2, 3, 4]]}\n'
READY_WITHIN_S = 20.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Local:
    """How to reach the endpoint: a redline.toml that calls it `local`, and a payload that its model understands."""

    config: str
    payload: str


@contextmanager
def local_endpoint(flags: Sequence[str]) -> Iterator[Local]:
    """`redline serve FLAGS`, which takes requests until the block ends."""
    with tempfile.TemporaryDirectory(prefix="redline-serve-") as folder:
        ready_file, said = Path(folder) / "ready.json", Path(folder) / "said.txt"
        with said.open("wb") as output:
            child = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "localazure",
                    *flags,
                    "--ready-file",
                    str(ready_file),
                    "--stop-with-parent",
                ],
                env={**os.environ, **import_path()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            config = _config(child, ready_file, said)
            payload = Path(folder) / "sample.json"
            payload.write_bytes(PAYLOAD)
            yield Local(config, str(payload))
        finally:
            _stop(child)


def _config(child: subprocess.Popen[bytes], ready_file: Path, said: Path) -> str:
    give_up_s = time.monotonic() + READY_WITHIN_S
    while not ready_file.exists():
        if child.poll() is not None or time.monotonic() > give_up_s:
            words = harmless(said.read_text(encoding="utf-8", errors="replace").strip(), max_chars=500)
            raise RedlineError(
                f"the local endpoint did not start: {words or 'it said nothing'}",
                "run `redline serve --hosting aks` to see it start by itself",
                Exit.UNFAIR,
            )
        time.sleep(_POLL_S)
    return str(json.loads(ready_file.read_text(encoding="utf-8"))["config"])


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
