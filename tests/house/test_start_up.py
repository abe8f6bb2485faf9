"""What a command loads before it does anything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house.repository import ROOT

HEAVY = (
    "pandas",
    "numpy",
    "scipy",
    "locust",
    "gevent",
    "azure",
    "requests",
    "rich",
    "matplotlib",
    "jinja2",
)


def _loaded(*arguments: str) -> set[str]:
    """Top-level modules in memory once `redline ARGUMENTS` has run."""
    program = (
        "import sys\n"
        f"sys.argv = {['redline', *arguments]!r}\n"
        "import atexit\n"
        "atexit.register(lambda: print('\\nLOADED', *sorted({name.partition('.')[0] for name in sys.modules})))\n"
        "import cli\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], ["limit", "--help"], ["--version"]], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    """Help and version come without any of the libraries that take long to load."""
    assert _loaded(*arguments) & set(HEAVY) == set()


def test_sizing_loads_no_locust_and_no_requests() -> None:
    """A command that sends nothing loads nothing that sends."""
    loaded = _loaded("size", "--rps", "25", "--service-time", "120ms", "--max-concurrent", "1")
    assert loaded & {"locust", "gevent", "requests", "pandas", "matplotlib", "rich"} == set()
