"""Workflows of GitHub Actions: checks on schedule, and a load test that fails when the limit has fallen."""

from __future__ import annotations

from capacity.deploying.order import Files, Order, filled
from capacity.deploying.schedules import cron_of

_STEPS = """\
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: python -m pip install wheels/redline-@VERSION@-py3-none-any.whl
@LOGIN@
"""

_LOGIN = """\
      - uses: azure/login@v2
        with:
          client-id: ${{ vars.AZURE_CLIENT_ID }}
          tenant-id: ${{ vars.AZURE_TENANT_ID }}
          subscription-id: ${{ vars.AZURE_SUBSCRIPTION_ID }}"""

_CHECK = """\
# Is @NAME@ healthy? GitHub starts schedules every 5 minutes at most, and late when it is busy.
name: redline check
on:
  schedule:
    - cron: "@SCHEDULE@"
  workflow_dispatch: {}
permissions:
  contents: read
@TOKEN@
concurrency:
  group: redline-check
jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 15
@ENV@
    steps:
@STEPS@
      - run: redline check @NAME@ --config redline.toml --junit checks.xml
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: checks
          path: checks.xml
"""

_LOAD = """\
# The limit of @NAME@, compared with baseline.json; the job fails when it has fallen by more than 10 %.
name: redline load test
on:
  schedule:
    - cron: "17 3 * * 1"
  workflow_dispatch: {}
permissions:
  contents: read
@TOKEN@
concurrency:
  group: redline-load-test
jobs:
  limit:
    runs-on: ubuntu-latest
    timeout-minutes: 45
@ENV@
    steps:
@STEPS@
      - run: redline limit @NAME@ --config redline.toml --yes --quiet --out run
      - run: redline compare baseline.json run --max-drop 10% --out compared
        if: success() || failure()
      - run: cat run/summary.md compared/*.md >> "$GITHUB_STEP_SUMMARY"
        if: always()
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: run
          path: |
            run
            compared
"""


def github_files(order: Order) -> Files:
    """Two workflows; Azure is signed in to by OIDC where the credential comes from there."""
    notes = [f"set {name} in the repository's {_store(name)}" for name in _names(order)]
    if order.cron is not None and order.cron.zone != "UTC":
        notes.append(f"GitHub reads the schedule `{order.cron.expression}` as UTC, not {order.cron.zone}")
    schedule = order.cron.expression if order.cron is not None else cron_of(max(order.every_s, 300))
    notes.append("redline compare RUN --save-baseline baseline.json  # once, and commit it")
    steps = filled(_STEPS, version=order.version, login=_LOGIN if order.signs_in else "").rstrip("\n")
    words = {
        "name": order.name,
        "schedule": schedule,
        "steps": steps,
        "token": "  id-token: write" if order.signs_in else "",
        "env": _env(order),
    }
    return Files({"check.yml": filled(_CHECK, **words), "load-test.yml": filled(_LOAD, **words)}, tuple(notes))


def _names(order: Order) -> tuple[str, ...]:
    """GitHub's own token stands in for the secret of a service principal."""
    return tuple(name for name in order.variables if not (order.signs_in and name == "AZURE_CLIENT_SECRET"))


def _store(name: str) -> str:
    """Who we are in Azure is no secret."""
    return "vars" if name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID") else "secrets"


def _env(order: Order) -> str:
    if not _names(order):
        return ""
    lines = [f"      {name}: ${{{{ {_store(name)}.{name} }}}}" for name in _names(order)]
    return "\n".join(("    env:", *lines))
