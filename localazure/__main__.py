"""`python -m localazure` and `redline serve`: start the endpoint, say how to call it, stop it, say what it did."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from localazure.builtin import BuiltInModel
from localazure.inference_server import InferenceServers, ServerStartError
from localazure.options import OptionError, Options, parse, unused
from localazure.protocol import Connection
from localazure.ready import Found, ReadyFiles
from localazure.service import Service
from localazure.servicelog import ServiceLog
from localazure.stats import closing_lines
from localazure.telemetry.child import TelemetryChild
from localazure.telemetry.notes import Notes
from localazure.telemetry.start import found_at, server_environment, started_child
from localazure.timing import precise_loop

FINE, USAGE = 0, 2
_BACKLOG = 4096
_DRAIN_S = 1.0
_PARENT_LOOK_S = 0.25


def main(argv: Sequence[str] | None = None, prog: str = "python -m localazure") -> int:
    """The exit code: 0 when the endpoint was served and stopped, 2 when it could not be served as asked."""
    try:
        options = parse(sys.argv[1:] if argv is None else argv, prog)
        key = key_of(options, os.environ)
        _allow_many_connections()
        for line in unused(options):
            _say(f"note: {line}")
        with _listener(options.port) as listener:
            _run(options, key, listener)
    except OptionError as error:
        _say(f"error: {error.message}\n\nhint: {error.hint}")
        return USAGE
    return FINE


def _run(options: Options, key: str | None, listener: socket.socket) -> None:
    """The endpoint has been served, and the process that kept its telemetry has ended."""
    child = started_child(options, _say)
    try:
        with asyncio.Runner(loop_factory=precise_loop) as runner:
            runner.run(_serve(options, key, listener, child))
    finally:
        if child is not None:
            child.close()


def key_of(options: Options, environ: Mapping[str, str]) -> str | None:
    """The key callers must send; None where the hosting asks for none by default and none was given."""
    if options.key_env is not None:
        key = environ.get(options.key_env, "").strip()
        if not key:
            raise OptionError(
                f"the environment variable {options.key_env} has no key",
                f"export {options.key_env}=$(openssl rand -hex 16)",
            )
        if not key.isascii() or not key.isprintable() or " " in key:
            raise OptionError(
                f"the key in {options.key_env} has characters that no header takes",
                f"export {options.key_env}=$(openssl rand -hex 16)",
            )
        return key
    return None if options.hosting in ("aci", "local") else secrets.token_urlsafe(24)


def _listener(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise OptionError(f"port {port} on 127.0.0.1 cannot be had: {error.strerror}", "--port 0") from error
    listener.setblocking(False)
    return listener


def _allow_many_connections() -> None:
    """As many open files as this process may have: each connection is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(options: Options, key: str | None, listener: socket.socket, child: TelemetryChild | None) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    _stop_on(options, stop, loop)
    log = _service_log(options)
    notes = None if child is None else Notes(child, options)
    service = Service(options, key, loop, log, notes)
    servers = _model(options, service, loop, has_key=key is not None)
    found = None if child is None or notes is None else await _telemetry(child, notes, servers, options, loop)
    files = ReadyFiles(options.ready_file)
    server = await loop.create_server(lambda: Connection(service), sock=listener, backlog=_BACKLOG)
    try:
        if servers is None or await _started(servers, stop):
            uri = f"http://127.0.0.1:{listener.getsockname()[1]}{options.scoring_path}"
            _write(files, options, uri, key, found)
            gc.collect()
            gc.freeze()  # what lives as long as the server is not looked at again
            _say("\n".join(opening_lines(options, uri, files.key_path if key is not None else None, found)))
            service.begin()
            await stop.wait()
        server.close()
        await _drained(service)
    finally:
        files.remove()
        for connection in list(service.connections):
            connection.hang_up()
        if servers is not None:
            servers.close()
        if log is not None:
            log.close()
        if child is not None:
            child.hang_up()
    service.finish()
    _say("\n".join(closing_lines(service.by_status, service.frontend.in_flight_max, service.health)))
    if child is not None and child.dropped_count:
        _say(f"telemetry of {child.dropped_count:,} records was dropped: its process did not keep up, or has ended")


def _stop_on(options: Options, stop: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.call_later(options.run_for_ns / 1e9, stop.set)
    if options.stop_with_parent:
        _watch_parent(os.getppid(), stop.set, loop)


def _watch_parent(parent_pid: int, stop: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
    if os.getppid() != parent_pid:
        stop()
    else:
        loop.call_later(_PARENT_LOOK_S, _watch_parent, parent_pid, stop, loop)


def _service_log(options: Options) -> ServiceLog | None:
    """The log of the built-in model. The real inference server writes its own."""
    if options.log_file is None:
        return None
    try:
        log = ServiceLog(options.log_file, options.log_format)
    except OSError as error:
        raise OptionError(
            f"{options.log_file} cannot be written: {error.strerror}", "--log-file service.log"
        ) from error
    if options.entry_script is not None:
        log.close()
        return None
    return log


def _model(
    options: Options, service: Service, loop: asyncio.AbstractEventLoop, *, has_key: bool
) -> InferenceServers | None:
    """The inference servers still to be started, or None when the built-in model serves already."""
    if options.entry_script is not None:
        if not Path(options.entry_script).is_file():
            raise OptionError(f"there is no file {options.entry_script}", "--entry-script score.py")
        python = shutil.which(options.server_python or "")
        if python is None:
            raise OptionError(f"{options.server_python} is not a program that can be run", "make azureml-server")
        servers = InferenceServers(options, Path(python).absolute(), loop, service.set_ready, _say)
        service.model = servers
        return servers
    service.model = BuiltInModel(options, loop, has_key=has_key)
    if options.is_cold:
        loop.call_later(options.cold_start_ns / 1e9, service.set_all_ready)
    else:
        service.set_all_ready()
    return None


async def _telemetry(
    child: TelemetryChild,
    notes: Notes,
    servers: InferenceServers | None,
    options: Options,
    loop: asyncio.AbstractEventLoop,
) -> Found:
    """The telemetry process takes records and answers queries; the inference servers will send it theirs."""
    try:
        told = await child.begin(loop, None if servers is None else str(servers.log_path))
    except (OSError, RuntimeError) as error:
        raise OptionError(f"the telemetry process does not start: {error}", "--no-telemetry") from error
    found = found_at(child.settings, told)
    if servers is None:
        notes.built_in_launched(is_cold=options.is_cold)
    else:
        servers.send_telemetry(server_environment(found), notes)
    return found


async def _started(servers: InferenceServers, stop: asyncio.Event) -> bool:
    """True once the servers answer, False when asked to stop before. Raises OptionError for a script that fails."""
    starting = asyncio.ensure_future(servers.serve())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
        return False
    try:
        starting.result()
    except ServerStartError as error:
        raise OptionError(
            f"the inference server does not run the script: {error}", "mend it, or edit it under --reload"
        ) from error
    return True


def _write(files: ReadyFiles, options: Options, uri: str, key: str | None, found: Found | None) -> None:
    try:
        files.write(options, uri, key, found)
    except OSError as error:
        raise OptionError(
            f"{files.config_path.parent} cannot be written: {error.strerror}", f"mkdir -p {files.config_path.parent}"
        ) from error


async def _drained(service: Service) -> None:
    """No request is in flight, or a second has passed."""
    service.is_draining = True
    loop = asyncio.get_running_loop()
    end_s = loop.time() + _DRAIN_S
    while service.frontend.in_flight_count and loop.time() < end_s:
        await asyncio.sleep(0.01)


def opening_lines(options: Options, uri: str, key_path: Path | None, found: Found | None = None) -> list[str]:
    """How to call the endpoint, what it admits and when it stops."""
    key = "" if key_path is None else f" -H \"Authorization: Bearer $(cat '{key_path}')\""
    payload = '{"data": [[1, 2, 3]]}' if options.entry_script is None else "@payload.json"
    workers = options.instances * options.max_concurrent
    admitted, timeout_s = options.admitted_count, options.request_timeout_ns / 1e9
    limit = "all requests are admitted and wait" if admitted is None else f"{admitted} requests are admitted at a time"
    telemetry = []
    if found is not None:
        addresses = found.addresses
        telemetry = [f"telemetry: workspace {addresses['workspace_id']} at {addresses['logs_url']}"]
    return [
        f"scoring URI: {uri}",
        f"try: curl -s {uri} -H 'Content-Type: application/json'{key} -d '{payload}'",
        f"limits ({options.hosting}): {limit}, {workers} served at a time, time-out {timeout_s:g} s",
        *telemetry,
        f"stops after {options.run_for_ns / 1e9:g} s, or with Ctrl-C",
    ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
