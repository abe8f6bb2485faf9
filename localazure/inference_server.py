"""Microsoft's azureml-inference-server-http as the model: child processes on 127.0.0.1, one per instance.

Each has as many workers as `--max-concurrent`. The server closes every connection after one answer, so each request
opens its own. With `--reload` a changed script is started beside the running one and takes over once it answers.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localazure.model import MS, ModelAnswer
from localazure.options import Options
from localazure.service import Done, Exchange
from localazure.telemetry.notes import Notes
from localazure.upstream import fetch, scored, swagger_documents

LAUNCHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(os.environ["LOCALAZURE_PARENT"]):
    raise SystemExit("the process that wanted this server is gone")
import azureml_inference_server_http.amlserver as server
server.DEFAULT_HOST = "127.0.0.1"
server.run()
"""
_LOOK_S = 0.3  # between looks at the processes and at the script
_PROBE_S = 2.0  # a server that is loading takes connections but does not answer
_DRAIN_S = 30.0
_RESTART_S = 1.0
_MAX_RESTART_S = 30.0
_WORKERS_S = 30.0  # for the other workers of a server whose first one answers
_WORKER_READY = re.compile(r"Worker with pid (\d+) ready for serving traffic")

_BESIDE_THE_SCRIPT = ("Exception in thread", "Exception ignored in")
_OLD_SERVER = re.compile(r"Azure ML Inferencing HTTP server v0\.[0-7]\.")


class ServerStartError(Exception):
    """The inference server does not run the script. The text is one line: what the script raised, where it is known."""


@dataclass(slots=True, eq=False)
class _Server:
    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    log_start_bytes: int
    busy_count: int = 0
    is_mourned: bool = False


class InferenceServers:
    """Owns the child processes. `on_ready(pool number, instances)` hears when the number of live servers changes."""

    def __init__(
        self,
        options: Options,
        python: Path,
        loop: asyncio.AbstractEventLoop,
        on_ready: Callable[[int, int], None],
        say: Callable[[str], None],
    ) -> None:
        self._options = options
        self._telemetry: Mapping[str, str] = {}
        self._notes: Notes | None = None
        self._python = python
        self._loop = loop
        self._on_ready = on_ready
        self._say = say
        self._folder = Path(tempfile.mkdtemp(prefix="redline-azmlinfsrv-"))
        self.log_path = Path(options.log_file).absolute() if options.log_file else self._folder / "server.log"
        self._script = Path(options.entry_script or "").absolute()
        self._servers: list[_Server] = []
        self._leaving: list[_Server] = []
        self._documents: dict[str, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def send_telemetry(self, environment: Mapping[str, str], notes: Notes) -> None:
        """Servers started from now on have these variables, and what becomes of them is noted."""
        self._telemetry, self._notes = environment, notes

    async def serve(self) -> None:
        """Servers answer and are watched. Raises ServerStartError, except with --reload, which waits for an edit."""
        seen = self._script_state()
        try:
            await self._replace()
        except ServerStartError as error:
            if not self._options.reload:
                raise
            self._say(f"{self._script.name} is not loaded: {error}. Waiting for an edit")
        self._spawn(self._watch(seen))

    def start(self, exchange: Exchange, done: Done) -> None:
        live = [server for server in self._servers if server.process.poll() is None]
        if not live:
            done(exchange, ModelAnswer(None))
            return
        if self._options.routing == "random" and self._servers[exchange.pool] in live:
            server = self._servers[exchange.pool]
        else:
            server = min(live, key=lambda one: one.busy_count)
        server.busy_count += 1
        self._spawn(self._exchange(server, exchange, done))

    def swagger(self, version: str) -> bytes | None:
        return self._documents.get(version)

    def close(self) -> None:
        """Every child has ended: asked first, killed after a second."""
        for task in self._tasks:
            task.cancel()
        servers = self._servers + self._leaving
        for server in servers:
            _signal(server, signal.SIGTERM)
        for server in servers:
            try:
                server.process.wait(timeout=1.0)
            except subprocess.TimeoutExpired:
                os.killpg(server.process.pid, signal.SIGKILL)
                server.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _exchange(self, server: _Server, exchange: Exchange, done: Done) -> None:
        try:
            answer = await scored(server.port, exchange.request, exchange.ids)
        except (OSError, EOFError, ValueError):
            answer = ModelAnswer(None)
        finally:
            server.busy_count -= 1
        done(exchange, answer)

    async def _replace(self) -> None:
        """A whole new set of servers answers and takes over; the old set ends when its requests have."""
        fresh: list[_Server] = []
        try:
            for number in range(self._options.instances):
                fresh.append(self._launch(number))
            for server in fresh:
                await self._answering(server)
                await self._all_workers_ready(server)
            documents = await swagger_documents(fresh[0].port)
        except BaseException:
            self._dismiss(fresh)
            raise
        old, self._servers, self._documents = self._servers, fresh, documents
        self._tell_ready()
        self._dismiss(old)

    def _launch(self, number: int) -> _Server:
        folder = Path(tempfile.mkdtemp(prefix=f"instance-{number}-", dir=self._folder))
        port = _free_port()
        command = [str(self._python), "-c", LAUNCHER, "--entry_script", str(self._script)]
        command += ["--port", str(port), "--worker_count", str(self._options.max_concurrent)]
        descriptor = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            start_bytes = os.lseek(descriptor, 0, os.SEEK_END)
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                cwd=self._script.parent,
                env=self._environment(folder, number),
                start_new_session=True,
            )
        except OSError as error:
            raise ServerStartError(f"{self._python} cannot be run: {error.strerror}") from error
        finally:
            os.close(descriptor)
        if self._notes is not None:
            self._notes.launched(number, process.pid)
        return _Server(process, port, folder, start_bytes)

    def _environment(self, folder: Path, number: int) -> dict[str, str]:
        """Without our key, without telemetry to Microsoft, and with gunicorn's control socket in its own folder."""
        environment = {name: value for name, value in os.environ.items() if name != self._options.key_env}
        environment |= self._telemetry
        environment |= {
            "HOSTNAME": f"{self._options.name}-{self._options.deployment}-{number}",
            "LOCALAZURE_PARENT": str(os.getpid()),
            "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
            "XDG_RUNTIME_DIR": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",  # else an edit within the same second may find the old byte code
            "PYTHONUNBUFFERED": "1",
        }
        if self._options.hosting == "local":
            environment["SCORING_TIMEOUT_MS"] = str(max(1, self._options.request_timeout_ns // MS))
        return environment

    async def _answering(self, server: _Server) -> None:
        """The server says Healthy. Raises ServerStartError when it ends before."""
        while True:
            try:
                status, _, _ = await asyncio.wait_for(fetch(server.port, "GET", "/"), _PROBE_S)
                if status == 200:
                    return
            except (TimeoutError, OSError, EOFError, ValueError):
                pass
            if server.process.poll() is not None:
                raise ServerStartError(why_it_ended(self._log_since(server)))
            await asyncio.sleep(0.05)

    async def _all_workers_ready(self, server: _Server) -> None:
        """Each worker has loaded the script: one that loads it later could find the next edit. Bounded in time.

        Servers before 0.8 do not say so; there the first worker stands for all.
        """
        end_s = self._loop.time() + _WORKERS_S
        while self._loop.time() < end_s:
            if _OLD_SERVER.search(self._log_since(server)):
                return
            ready = set(_WORKER_READY.findall(self._log_since(server)))
            if sum(_is_child(int(pid), server.process.pid) for pid in ready) >= self._options.max_concurrent:
                return
            if server.process.poll() is not None:
                raise ServerStartError(why_it_ended(self._log_since(server)))
            await asyncio.sleep(0.05)

    def _log_since(self, server: _Server) -> str:
        with self.log_path.open("rb") as file:
            file.seek(server.log_start_bytes)
            return file.read().decode("utf-8", "replace")

    async def _watch(self, seen: frozenset[tuple[str, int, int]]) -> None:
        """Act on an edit once it rests for one look, and on a server that ended, less often the less it helps."""
        latest, pause_s, retry_s = seen, _RESTART_S, 0.0
        while True:
            await asyncio.sleep(_LOOK_S)
            before, latest = latest, self._script_state()
            if self._options.reload and latest != seen and latest == before:
                seen, why = latest, f"{self._script.name} has changed"
            elif self._live_count() < len(self._servers):
                self._tell_ready()
                self._tell_deaths()
                if self._loop.time() < retry_s:
                    continue
                why = "an inference server has ended"
            else:
                continue
            pause_s = _RESTART_S if await self._tried_replacing(why) else min(2 * pause_s, _MAX_RESTART_S)
            retry_s = self._loop.time() + pause_s

    async def _tried_replacing(self, why: str) -> bool:
        has_died = self._live_count() < len(self._servers)
        try:
            await self._replace()
        except ServerStartError as error:
            if has_died and self._notes is not None:
                self._notes.happened(0, "BackOff", f"Back-off restarting failed container: {error}")
            kept = "the running one is kept" if self._live_count() else "nothing is running"
            self._say(f"{why}, but does not load: {error}; {kept}")
            return False
        self._say(f"{why}: running anew")
        return True

    def _live_count(self) -> int:
        return sum(server.process.poll() is None for server in self._servers)

    def _tell_ready(self) -> None:
        if self._options.routing == "random":
            for number, server in enumerate(self._servers):
                self._on_ready(number, int(server.process.poll() is None))
        else:
            self._on_ready(0, self._live_count())

    def _tell_deaths(self) -> None:
        """Each server that ended by itself is told of once."""
        for number, server in enumerate(self._servers):
            code = server.process.poll()
            if code is not None and not server.is_mourned and self._notes is not None:
                server.is_mourned = True
                self._notes.happened(number, "LivenessProbeFailed", "Liveness probe failed: connection refused")
                self._notes.happened(number, "Killing", f"The inference server ended with exit code {code}")

    def _script_state(self) -> frozenset[tuple[str, int, int]]:
        """Name, time and size of each Python file beside the script."""
        states = set()
        for path in self._script.parent.glob("*.py"):
            try:
                stat = path.stat()
            except FileNotFoundError:  # replaced at this moment
                continue
            states.add((path.name, stat.st_mtime_ns, stat.st_size))
        return frozenset(states)

    def _dismiss(self, servers: Iterable[_Server]) -> None:
        for server in servers:
            self._leaving.append(server)
            self._spawn(self._drained(server))

    async def _drained(self, server: _Server) -> None:
        for _ in range(int(_DRAIN_S / 0.1)):
            if not server.busy_count:
                break
            await asyncio.sleep(0.1)
        _signal(server, signal.SIGTERM)
        while server.process.poll() is None:
            await asyncio.sleep(0.1)
        self._leaving.remove(server)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def why_it_ended(log: str) -> str:
    """The last line of the first traceback of the log: what the script raised; without one the log's last line.

    Tracebacks that a server writes while it scores (`Encountered Exception`) do not count, nor those of threads and of
    an interpreter that shuts down: they say nothing of the script.

    >>> why_it_ended('Traceback (most recent call last):\\n  File "score.py", line 2\\nValueError: no\\nWorker failed')
    'ValueError: no'
    >>> why_it_ended('Exception in thread a:\\nTraceback (most recent call last):\\nAttributeError: x\\nno module b')
    'no module b'
    >>> why_it_ended('')
    'it ended without a word'
    """
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    for start, line in enumerate(lines):
        before = lines[start - 1] if start else ""
        is_of_script = "Encountered Exception" not in line and not before.startswith(_BESIDE_THE_SCRIPT)
        if line.endswith("Traceback (most recent call last):") and is_of_script:
            for after in lines[start + 1 :]:
                if not after.startswith(" "):
                    return after
    return lines[-1] if lines else "it ended without a word"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _is_child(pid: int, parent_pid: int) -> bool:
    """Where the system does not tell parents as Linux does, every process counts as a child."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return not Path("/proc/self/stat").exists()
    return int(stat.rpartition(")")[2].split()[1]) == parent_pid


def _signal(server: _Server, number: signal.Signals) -> None:
    if server.process.poll() is None:
        server.process.send_signal(number)
