"""Only edges touch the outside: network, files, clock, chance and processes."""

from __future__ import annotations

import pytest

from tests.house.repository import ROOT, imported_modules, relative

OUTSIDE = frozenset(
    (
        "asyncio",
        "gevent",
        "glob",
        "http.client",
        "locust",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "requests",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib.request",
        "urllib3",
        "uuid",
    )
)

EDGES = {
    "scoring/auth.py": "reads keys from the environment, files and the keyring",
    "scoring/azure_auth.py": "signs in to Azure, looks whether a person is at the terminal",
    "scoring/canary.py": "sends requests told over pipes, in a process of its own",
    "scoring/client.py": "sends single requests",
    "scoring/holding.py": "holds a credential for several threads, and reads the clock",
    "scoring/renewing.py": "answers over pipes, in a process of its own",
    "scoring/controlplane/rest.py": "asks Azure's APIs again, and waits in between",
    "scoring/controlplane/transport.py": "sends requests to Azure's APIs",
    "scoring/starting/configjson.py": "looks for config.json",
    "scoring/starting/files.py": "writes redline.toml and scenarios",
    "scoring/starting/start.py": "looks an endpoint up, and writes it down",
    "scoring/granting.py": "asks for the credential of scoring requests, with the time of the clock",
    "scoring/identity/credentials.py": "asks token issuers, reads certificates and token files",
    "scoring/identity/githubtoken.py": "asks GitHub for a job's token",
    "scoring/identity/signin.py": "reads the auth file, looks for az on the path",
    "scoring/scenariofile.py": "reads scenario files",
    "scoring/settings.py": "reads redline.toml",
    "scoring/files.py": "reads payloads",
    "scoring/wire.py": "opens sockets for single requests",
    "monitor/consolelog.py": "waits before it looks at a console again",
    "monitor/doctor/arrivals.py": "looks for a request in the telemetry, and waits",
    "monitor/doctor/control.py": "asks Azure's control plane, with the time at which a token came",
    "monitor/doctor/gather.py": "reads the clock, gathers what the others find out",
    "monitor/doctor/probes.py": "sends single requests, with the time of each",
    "monitor/doctor/reach.py": "looks up names, opens sockets, speaks TLS",
    "monitor/doctor/tasks.py": "runs steps in threads, each bounded in time",
    "monitor/endpointlog.py": "waits before it looks at a log again",
    "monitor/metrics.py": "asks Azure Monitor metrics of the cloud that the environment names",
    "monitor/asking.py": "asks in threads, so that Ctrl-C need not wait for an answer",
    "monitor/health/availability.py": "sends availability rows, in a thread, and reads the clock",
    "monitor/health/checking.py": "sends the requests of a check, in threads, and times them",
    "monitor/health/delivery.py": "sends notices",
    "monitor/health/lease.py": "holds the lock of a state folder",
    "monitor/health/listening.py": "serves /healthz and /metrics",
    "monitor/health/store.py": "opens the history file",
    "monitor/health/telemetry_checks.py": "asks Azure Monitor for checks, in threads, and times them",
    "monitor/health/watching.py": "reads the clocks, runs checks and deliveries in threads",
    "monitor/following.py": "waits for a log to grow",
    "monitor/servicelogs.py": "reads service logs",
    "monitor/workspace.py": "asks Azure Monitor Logs, and waits before it asks again",
    "capacity/archive.py": "writes packages into an archive",
    "capacity/begin.py": "makes the run folder, with the time of the start",
    "capacity/deploying/asked.py": "reads redline.toml",
    "capacity/drive.py": "runs Locust",
    "capacity/openload.py": "reads the record of a replay",
    "capacity/recorded.py": "reads run folders, writes renderings",
    "capacity/local_endpoint.py": "runs the local endpoint",
    "capacity/preflight.py": "sends one request per payload, and times it",
    "capacity/replay.py": "reads recorded instants",
    "capacity/runfolder.py": "reads and writes run folders",
    "capacity/target.py": "reads redline.toml",
}
"""Modules that may touch the outside, with what for. Everything else in the pure packages decides from values."""

PURE_ELSEWHERE = (
    *("locustfiles/_gate.py", "localazure/frontend.py", "localazure/answers.py"),
    *(f"localazure/identity/{name}.py" for name in ("audiences", "resources", "roles", "tokens")),
)
"""State machines and texts that stay pure although their packages are edges."""


def _modules() -> list[str]:
    found = [path for name in ("scoring", "capacity", "reports", "monitor") for path in (ROOT / name).rglob("*.py")]
    return [*sorted(relative(path) for path in found if relative(path) not in EDGES), *PURE_ELSEWHERE]


@pytest.mark.parametrize("module", _modules())
def test_a_module_that_is_no_edge_touches_nothing_outside(module: str) -> None:
    """A pure module imports nothing that reads a clock, draws by chance, opens a file, socket or process."""
    assert imported_modules(ROOT / module) & OUTSIDE == set()


@pytest.mark.parametrize("module", EDGES)
def test_every_edge_on_the_list_exists(module: str) -> None:
    """The list of edges names no module that is gone."""
    assert (ROOT / module).is_file()
