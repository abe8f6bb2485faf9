"""`python -m localazure` and `redline serve`: start the endpoint, say how to call it, stop it, say what it did."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import resource
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from localazure.builtin import BuiltInModel
from localazure.entrances import Entrance, main_entrance
from localazure.identity.start import Identity, listener, started_identity
from localazure.inference_server import InferenceServers, ServerStartError
from localazure.options import OptionError, Options, parse, unused
from localazure.protocol import Connection
from localazure.ready import Found, ReadyFiles
from localazure.service import Service
from localazure.servicelog import ServiceLog, last_lines
from localazure.stats import closing_lines
from localazure.telemetry.child import TelemetryChild
from localazure.telemetry.notes import Notes
from localazure.telemetry.start import found_at, names_of, server_environment, started_child
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
        with _listener(options.port) as main_listener:
            _run(options, main_entrance(options, key), main_listener)
    except OptionError as error:
        _say(f"error: {error.message}\n\nhint: {error.hint}")
        return USAGE
    return FINE


def _run(options: Options, main: Entrance, main_listener: socket.socket) -> None:
    """The endpoint has been served, and the process that kept its telemetry has ended."""
    names = names_of(options)
    child = started_child(options, names, _say)
    try:
        identity = started_identity(options, names, main, _say)
        with asyncio.Runner(loop_factory=precise_loop) as runner:
            runner.run(_serve(options, main, main_listener, child, identity))
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
    try:
        return listener(port)
    except OSError as error:
        raise OptionError(f"port {port} on 127.0.0.1 cannot be had: {error.strerror}", "--port 0") from error


def _allow_many_connections() -> None:
    """As many open files as this process may have: each connection is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(
    options: Options,
    main: Entrance,
    main_listener: socket.socket,
    child: TelemetryChild | None,
    identity: Identity | None,
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    _stop_on(options, stop, loop)
    log = _service_log(options)
    notes = None if child is None else Notes(child, options)
    entrances = [main] if identity is None else identity.entrances
    service = Service(options, entrances, loop, log, notes)
    servers = _model(options, service, loop, has_key=main.auth != "none")
    found = None if child is None or notes is None else await _telemetry(child, notes, servers, identity, options)
    files = ReadyFiles(options.ready_file)
    listening = await _listening(service, entrances, main_listener)
    try:
        if servers is None or await _started(servers, stop):
            if identity is not None:
                _lead(identity, files, found, notes, _log_reader(options, log, servers, notes))
                await identity.begin(loop)
            _write(files, options, main, found, identity)
            gc.collect()
            gc.freeze()  # what lives as long as the server is not looked at again
            key_path = files.key_path if main.auth != "none" else None
            _say("\n".join(opening_lines(options, main.scoring_uri, key_path, found, identity)))
            service.begin()
            await stop.wait()
        for server in listening:
            server.close()
        await _drained(service)
    finally:
        files.remove()
        _hang_up(service, servers, log, child, identity)
    service.finish()
    _say("\n".join(closing_lines(service.by_status, service.frontend.in_flight_max, service.health)))
    if child is not None and child.dropped_count:
        _say(f"telemetry of {child.dropped_count:,} records was dropped: its process did not keep up, or has ended")


async def _listening(
    service: Service, entrances: Sequence[Entrance], main_listener: socket.socket
) -> list[asyncio.Server]:
    """Every entrance has a port of its own; the first one that of the command line."""
    loop = asyncio.get_running_loop()
    found = []
    for number, entrance in enumerate(entrances):
        one = main_listener if number == 0 else listener()
        entrance.port = one.getsockname()[1]
        server = await loop.create_server(partial(Connection, service, entrance), sock=one, backlog=_BACKLOG)
        found.append(server)
    return found


def _hang_up(
    service: Service,
    servers: InferenceServers | None,
    log: ServiceLog | None,
    child: TelemetryChild | None,
    identity: Identity | None,
) -> None:
    """No connection, child process or open file is left, but for the telemetry process, which ends by itself."""
    for connection in list(service.connections):
        connection.hang_up()
    if servers is not None:
        servers.close()
    if log is not None:
        log.close()
    if child is not None:
        child.hang_up()
    if identity is not None:
        identity.hang_up()


def _lead(
    identity: Identity, files: ReadyFiles, found: Found | None, notes: Notes | None, log_text: Callable[[int], str]
) -> None:
    """What the control plane changes is seen by those whom it concerns, and it shows the service's own log."""
    main, site = identity.entrances[0], identity.site

    def on_key(entrance: Entrance) -> None:
        if entrance is main and entrance.keys is not None:
            files.write_key(entrance.keys.of["Primary"])

    site.on_key, site.log_text = on_key, log_text
    if found is not None and notes is not None:
        site.on_switch = notes.switched
        site.connection_string = found.addresses["connection_string"]
        site.logs_url, site.metrics_url = found.addresses["logs_url"], found.addresses["metrics_url"]


def _log_reader(
    options: Options, log: ServiceLog | None, servers: InferenceServers | None, notes: Notes | None
) -> Callable[[int], str]:
    """The last so many lines of the service log: of its file, or of the last requests where it has none."""

    def read(line_count: int) -> str:
        if servers is not None:
            return last_lines(servers.log_path, line_count)
        if log is not None and options.log_file is not None:
            log.flush()
            return last_lines(Path(options.log_file), line_count)
        return "" if notes is None else notes.recent_log(line_count)

    return read


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
    identity: Identity | None,
    options: Options,
) -> Found:
    """The telemetry process takes records and answers queries; the inference servers will send it theirs."""
    console_file = None if servers is None else str(servers.log_path)
    settings = dataclasses.replace(child.settings, console_file=console_file)
    if identity is not None:
        settings = dataclasses.replace(
            settings,
            tls_pem=identity.certificate.pem,
            ca_pem=identity.certificate.ca_pem,
            signing_key=identity.tenant.tokens.signing_key.hex(),
            static_token=identity.static_token,
        )
    try:
        listens = await child.begin(asyncio.get_running_loop(), settings)
    except (OSError, RuntimeError) as error:
        raise OptionError(f"the telemetry process does not start: {error}", "--no-telemetry") from error
    found = found_at(child.settings, listens)
    if servers is None:
        notes.built_in_launched(is_cold=options.is_cold)
    else:
        is_on = options.control.has_app_insights
        servers.send_telemetry(server_environment(found) if is_on else {}, notes)
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


def _write(files: ReadyFiles, options: Options, main: Entrance, found: Found | None, identity: Identity | None) -> None:
    try:
        files.write(options, main, found, identity)
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


def opening_lines(
    options: Options, uri: str, key_path: Path | None, found: Found | None = None, identity: Identity | None = None
) -> list[str]:
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
    others = []
    if identity is not None:
        others = [f"{one.name} ({one.auth}): {one.scoring_uri}" for one in identity.entrances[1:]]
        others.append(f"identity: tenant {identity.tenant.tenant_id} at {identity.site.authority}")
    return [
        f"scoring URI: {uri}",
        f"try: curl -s {uri} -H 'Content-Type: application/json'{key} -d '{payload}'",
        f"limits ({options.hosting}): {limit}, {workers} served at a time, time-out {timeout_s:g} s",
        *telemetry,
        *others,
        f"stops after {options.run_for_ns / 1e9:g} s, or with Ctrl-C",
    ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
