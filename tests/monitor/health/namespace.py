"""Faults of names, routes and disks, in a network and mount namespace of its own; run as a program by `unshare -mn`.

Prints one JSON document: for each story the state and reason that were proved, after how many checks, what the webhook
got, and what a `redline` said that was run.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from monitor.health.checking import Subject
from scoring.endpoint import Endpoint
from tests.cli.terminal import ended, redline
from tests.cli.watching import switched, until, watching
from tests.monitor.health.faultlist import PLAIN, SHORT
from tests.monitor.health.faulty import KEY, faulty
from tests.monitor.health.nameserver import NO_ERROR, NO_NAME, SERVER_FAILURE, Names, naming
from tests.monitor.health.watched import Told

ADDRESS = "192.0.2.1"  # for documents alone (RFC 5737); here an address of the loopback device
LAST_PORT = 40_000
Step = Callable[[], object]
Story = Callable[[Path, Names], dict[str, Any]]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def prepare(folder: Path) -> None:
    """A loopback device, and a name server on it that the C library asks, for a second at most."""
    ip("link", "set", "lo", "up")
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--bind", str(folder / "resolv.conf"), "/etc/resolv.conf"], check=True)


def subject(name: str, host: str, port: int) -> Subject:
    endpoint = Endpoint(name, f"http://{host}:{port}/score", auth="key", key_env="SCORING_KEY")
    return Subject(endpoint, PLAIN, SHORT, {"SCORING_KEY": KEY})


def lived_through(folder: Path, subjects: list[Subject], on: Step, off: Step) -> dict[str, Any]:
    """Well, then with the fault until it is told, then well again."""
    with ExitStack() as stack:
        world = Told(folder, subjects, stack)
        world.check()
        assert (world.state, world.hook.notices) == ("OK", []), world.watcher.keeper.standings
        on()
        bad, _ = world.checks_until("fire")
        off()
        well, _ = world.checks_until("resolve")
        told = [[one["kind"], one["endpoint"], one["state"], one["reason"]] for one in world.hook.notices]
        return {"told": told, "after": [len(bad), len(well)]}


def unnamed(flags: int | None, *endpoints: str) -> Story:
    """The name server says this of the names of the endpoints, or nothing."""

    def story(folder: Path, names: Names) -> dict[str, Any]:
        def switch(to: int | None) -> Step:
            return lambda: setattr(names, "flags", to)

        with faulty() as server:
            subjects = [subject(name, f"{name}.example", server.port) for name in endpoints]
            return lived_through(folder, subjects, switch(flags), switch(NO_ERROR))

    return story


def half_broken(folder: Path, names: Names) -> dict[str, Any]:
    """The name has an IPv6 address where nobody listens, and one that is good."""
    names.v6 = "::1"
    with faulty() as server, ExitStack() as stack:
        world = Told(folder, subject("churn", "churn.example", server.port), stack)
        for _ in range(3):
            world.check()
        return {"state": world.state, "told": world.hook.notices}


def no_route(folder: Path, _: Names) -> dict[str, Any]:
    """The address is this machine's, then nobody's."""
    ip("address", "add", f"{ADDRESS}/32", "dev", "lo")
    with faulty(host="") as server:
        return lived_through(
            folder,
            [subject("churn", ADDRESS, server.port)],
            lambda: ip("address", "delete", f"{ADDRESS}/32", "dev", "lo"),
            lambda: ip("address", "add", f"{ADDRESS}/32", "dev", "lo"),
        )


def out_of_files(folder: Path, _: Names) -> dict[str, Any]:
    """No descriptor is left, neither for a check nor for a notice: it is proved now and told when there are some."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with faulty() as server, ExitStack() as stack:
        world = Told(folder, subject("churn", "127.0.0.1", server.port), stack)
        world.check()
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
        for _ in range(3):
            world.check_alone()
        standing = world.watcher.keeper.standings[world.name]
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        world.pass_time(900.0)
        world.until_told()
        world.checks_until("resolve")
        return {"state": standing.state, "reason": standing.reason, "told": [one["kind"] for one in world.hook.notices]}


def out_of_ports(folder: Path, _: Names) -> dict[str, Any]:
    """One port is left for all connections of this machine, and it is taken."""
    file = Path("/proc/sys/net/ipv4/ip_local_port_range")
    before = file.read_text()
    with faulty() as server, ExitStack() as stack:

        def on() -> None:
            file.write_text(f"{LAST_PORT} {LAST_PORT}")
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))

        def off() -> None:
            file.write_text(before)
            stack.close()

        return lived_through(folder, [subject("churn", "127.0.0.1", server.port)], on, off)


def full_disk(folder: Path, _: Names) -> dict[str, Any]:
    """A small disk becomes full while `redline watch` runs, and has room again when it is started anew."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], check=True)
    with switched() as endpoint, switched("/hook") as hook:
        checks = 'checks = { every = "1s" }'
        toml = f'[endpoints.churn]\nscoring_uri = "{endpoint.uri}"\n{checks}\n[alerts]\nwebhook = "{hook.uri}"\n'
        with watching(folder, toml) as watch:
            until(lambda: watch.metric('redline_checks_total{endpoint="churn",state="OK"}'), "a good check")
            endpoint.status = 500
            fill(folder / "ballast")
            said = ended(watch.process)
        full = redline(folder, "report", "health", "--state", "state", "--json")
        (folder / "ballast").unlink()
        with watching(folder, toml) as watch:
            until(lambda: hook.notices, "the fire")
            endpoint.status = 200
            until(lambda: len(hook.notices) == 2, "the resolve")
        told = [one["kind"] for one in hook.notices]
    return {"code": said.code, "err": said.err.splitlines()[-3:], "full": full.code, "told": told}


def fill(file: Path) -> None:
    """Every byte of the disk is taken."""
    with open(file, "wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))


STORIES: dict[str, Story] = {
    "dns_not_found": unnamed(NO_NAME, "churn"),
    "dns_timeout": unnamed(None, "churn"),
    "dns_failure": unnamed(SERVER_FAILURE, "churn"),
    "own_network": unnamed(None, "churn", "risk"),
    "half_broken": half_broken,
    "network_unreachable": no_route,
    "out_of_files": out_of_files,
    "out_of_ports": out_of_ports,
    "full_disk": full_disk,
}


def main() -> None:
    folder = Path(sys.argv[1])
    prepare(folder)
    with naming() as names:
        print(json.dumps({name: story(folder / name, names) for name, story in STORIES.items()}))


if __name__ == "__main__":
    main()
