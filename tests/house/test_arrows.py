"""Who may import whom (docs/decisions/0002)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house.repository import ROOT, imported_modules, relative, shipped_files

HOMES = {
    "typer": ("cli.py", "commands/"),
    "azure.identity": ("scoring/identity/credentials.py",),
    "azure.core": ("scoring/azure_auth.py", "scoring/identity/", "monitor/"),
    "keyring": ("scoring/auth.py",),
    "azure.monitor.query": ("monitor/workspace.py",),
    "azure.monitor.querymetrics": ("monitor/metrics.py",),
    "azure.monitor.opentelemetry": ("monitor/health/availability.py",),
    "opentelemetry": ("monitor/health/availability.py",),
    "cryptography": ("monitor/doctor/certificate.py", "scoring/identity/credentials.py", "localazure/"),
    "duckdb": ("localazure/telemetry/",),
    "duckdb_kql": ("localazure/telemetry/",),
    "trustme": ("localazure/certificate.py",),
    "apprise": ("monitor/health/delivery.py",),
    "cronsim": ("scoring/cron.py",),
    "rich": ("capacity/progress.py",),
    "requests": ("scoring/client.py", "scoring/controlplane/transport.py", "monitor/health/delivery.py"),
    "yaml": ("scoring/starting/endpointyaml.py",),
    "locust": ("locustfiles/",),
    "gevent": ("locustfiles/",),
    "jinja2": ("reports/",),
    "matplotlib": ("reports/",),
    "junitparser": ("reports/junit.py",),
}
"""Third-party package → the files or folders that may import it."""


def test_import_linter_holds_its_contracts() -> None:
    """`lint-imports` finds the contracts of pyproject.toml kept."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("package", HOMES)
def test_each_third_party_package_has_one_home(package: str) -> None:
    """A package is imported by its home and by nobody else."""
    importers = [
        relative(path)
        for path in shipped_files()
        if any(name == package or name.startswith(f"{package}.") for name in imported_modules(path))
    ]
    assert [name for name in importers if not name.startswith(HOMES[package])] == []
