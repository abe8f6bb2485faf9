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
    "scoring/auth.py": "reads keys from the environment and files",
    "scoring/azure_auth.py": "reads a token file, signs in to Azure",
    "scoring/client.py": "sends single requests",
    "scoring/scenariofile.py": "reads scenario files",
    "scoring/settings.py": "reads redline.toml",
    "scoring/files.py": "reads payloads",
    "scoring/wire.py": "opens sockets for single requests",
    "monitor/asking.py": "asks in threads, so that Ctrl-C need not wait for an answer",
    "monitor/following.py": "waits for a log to grow",
    "monitor/servicelogs.py": "reads service logs",
    "monitor/workspace.py": "asks Azure Monitor Logs, and waits before it asks again",
    "capacity/begin.py": "makes the run folder, with the time of the start",
    "capacity/drive.py": "runs Locust",
    "capacity/recorded.py": "reads run folders, writes renderings",
    "capacity/local_endpoint.py": "runs the local endpoint",
    "capacity/preflight.py": "sends one request per payload, and times it",
    "capacity/runfolder.py": "reads and writes run folders",
    "capacity/target.py": "reads redline.toml",
}
"""Modules that may touch the outside, with what for. Everything else in the pure packages decides from values."""

PURE_ELSEWHERE = ("locustfiles/_gate.py", "localazure/frontend.py", "localazure/answers.py")
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
