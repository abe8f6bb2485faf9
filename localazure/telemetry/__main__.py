"""`python -m localazure.telemetry`: the child process that keeps one endpoint's telemetry and answers about it.

Standard input brings a line of settings and then frames of records; its end ends the process. Standard output takes
one line with the ports and the CA's certificate, once both listeners accept connections.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import sys
import time

from localazure import certificate
from localazure.http1 import Request
from localazure.protocol import Connection
from localazure.telemetry import ingestion, metricsapi
from localazure.telemetry.consolefile import ConsoleFile
from localazure.telemetry.door import Door, Route
from localazure.telemetry.logsapi import LogsApi
from localazure.telemetry.metricvalues import Source
from localazure.telemetry.replies import Reply, json_reply
from localazure.telemetry.settings import Settings, from_line
from localazure.telemetry.store import Store

FAULTS_PATH = "/redline/query-faults"
_CONSOLE_LOOK_S = 0.25
_NICENESS = 10  # the endpoint's own timing comes first


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the endpoint, which closes our input
    asyncio.run(_serve())
    sys.stdout.flush()
    os._exit(0)  # threads that still answer are not waited for


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    frames = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(frames), sys.stdin.buffer)
    line = await frames.readline()
    if not line:
        return  # the endpoint ended before it began
    settings = from_line(line)
    store = Store(settings)
    shown = certificate_of(settings)
    context = certificate.context_of(shown)
    doors = [Door(ingestion_route(settings, store), loop), Door(query_route(settings, store), loop)]
    sockets = [_listener(), _listener()]
    for door, listener, tls in zip(doors, sockets, (None, context), strict=True):
        await loop.create_server(lambda door=door: Connection(door), sock=listener, ssl=tls, backlog=1024)
    ports = [listener.getsockname()[1] for listener in sockets]
    hello = {"ingestion_port": ports[0], "query_port": ports[1], "ca_pem": shown.ca_pem}
    print(json.dumps(hello), flush=True)
    os.nice(_NICENESS)
    gc.freeze()
    if settings.console_file is not None:
        _watch_console(ConsoleFile(settings.console_file), store, loop)
    await _take_frames(frames, store)
    if store.dropped_count:
        print(f"telemetry was dropped {store.dropped_count:,} times: the store was full", file=sys.stderr)


def certificate_of(settings: Settings) -> certificate.Certificate:
    """The one that the endpoint shows elsewhere too, or one of our own."""
    if settings.tls_pem is None or settings.ca_pem is None:
        return certificate.made()
    return certificate.Certificate(settings.tls_pem, settings.ca_pem)


async def _take_frames(frames: asyncio.StreamReader, store: Store) -> None:
    """Every frame is in the store; returns when the input ends."""
    try:
        while True:
            length = int.from_bytes(await frames.readexactly(4), "big")
            store.add_frame(await frames.readexactly(length))
    except asyncio.IncompleteReadError:
        return


def _watch_console(file: ConsoleFile, store: Store, loop: asyncio.AbstractEventLoop) -> None:
    store.add_lines(file.new_lines(time.time_ns()))
    loop.call_later(_CONSOLE_LOOK_S, _watch_console, file, store, loop)


def _listener() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.setblocking(False)
    return listener


def ingestion_route(settings: Settings, store: Store) -> Route:
    """Telemetry items come in, over plain http, as from the exporter of an old or present server."""
    limit = ingestion.RateLimit(settings.max_items_per_s)

    def route(request: Request) -> Reply:
        if request.path.replace("//", "/") not in ingestion.PATHS:
            return json_reply({"message": f"{request.path} is not served here"}, 404)
        if request.method != "POST":
            return json_reply({"message": f"{request.method} is not taken here"}, 405)
        if store.is_full:
            return json_reply({"message": "the store of the local endpoint is full"}, 402)
        return ingestion.answer(request, settings.names.instrumentation_key, store.add_item, limit.passes)

    return route


def query_route(settings: Settings, store: Store) -> Route:
    """Logs and metrics queries, over TLS."""
    logs, source = LogsApi(settings, store.query), Source(store, settings)

    def route(request: Request) -> Reply:
        if request.path == FAULTS_PATH:
            return logs.add_faults(request)
        if metricsapi.PATH.fullmatch(request.path):
            return metricsapi.answer(request, settings, source, time.time_ns() // 1000)
        return logs.answer(request)

    return route


if __name__ == "__main__":
    main()
