"""A test for Azure Load Testing: the texts of its files.

The service uploads the files of one folder, installs requirements.txt and runs the Locust file on its engines. Its
configuration is documented at learn.microsoft.com/azure/load-testing/reference-test-config-yaml.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from capacity.goals import Goal, GoalKind, parse_goal
from capacity.plan import Plan, plan_as_json
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.scenario import Scenario
from scoring.scenariotext import SCENARIO, scenario_files
from scoring.units import MS

CONFIG, LOCUSTFILE, REQUIREMENTS = "config.yaml", "locustfile.py", "requirements.txt"
PLAN, CA = "redline-plan.json", "ca.pem"
KEY_VARIABLE = "SCORING_KEY"
PACKAGES = ("scoring", "capacity", "locustfiles")
NEEDED = ("jsonschema", "numpy", "scipy")
"""What the packages import beside Locust, which the service brings."""
MOST_ENGINES = 400
_PERCENTILES = (50, 75, 90, 95, 96, 97, 98, 99)
_ID = re.compile(r"[^a-z0-9_-]+")

_LOCUSTFILE = '''"""{title}: {users} concurrent requests for {seconds} s, in all.

Made by redline {version}. The key is read from the variable {key_variable}; it stands in no file.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "{archive}"))

document = json.loads((HERE / "{plan}").read_text(encoding="utf-8"))
document["plan"]["scenario_path"] = str(HERE / document["plan"]["scenario_path"])
endpoint = document["plan"]["endpoint"]
endpoint["ca_file"] = endpoint["ca_file"] and str(HERE / endpoint["ca_file"])
RUN = Path(tempfile.mkdtemp(prefix="redline-"))
(RUN / "run.json").write_text(json.dumps(document), encoding="utf-8")
os.environ.setdefault("REDLINE_RUN", str(RUN))

from locustfiles.closed_loop import ScoringUser  # noqa: E402

__all__ = ["ScoringUser"]
'''


@dataclass(frozen=True, slots=True)
class Exported:
    """Contents by file name, and what the test cannot say as the plan does."""

    files: dict[str, bytes]
    notes: tuple[str, ...]


def exported_test(
    plan: Plan,
    scenario: Scenario,
    *,
    archive: str,
    engines: int,
    key_uri: str | None,
    versions: Mapping[str, str],
    ca: bytes | None = None,
) -> Exported:
    """The files of a test that holds the plan's load, but for the archive of the packages.

    `key_uri`: secret identifier of the key in a Key Vault. `ca`: what the endpoint's ca_file holds.
    """
    if plan.users is None or plan.duration_s is None:
        raise RedlineError("only a fixed load can be exported", "give --users and --for")
    if not 1 <= engines <= MOST_ENGINES:
        raise RedlineError(f"--engines {engines} is none that the service runs", f"from 1 to {MOST_ENGINES}")
    criteria, notes = _criteria(plan.thresholds)
    shared = _shared(plan, scenario, engines, has_ca=ca is not None)
    if plan.users % engines:
        notes.append(f"{plan.users} users do not divide by {engines} engines: each sends {shared.users} at a time")
    title = f"Load on {plan.endpoint.name}"
    files = scenario_files(scenario) | ({} if ca is None else {CA: ca})
    config = _config(plan, title, criteria, [PLAN, archive, REQUIREMENTS, *files], engines, key_uri)
    texts = {
        LOCUSTFILE: _locustfile(plan, title, archive, versions.get("redline", "unknown")),
        PLAN: json.dumps(_run_document(shared, versions), indent=1) + "\n",
        REQUIREMENTS: "".join(f"{name}\n" for name in NEEDED),
        CONFIG: config,
    }
    return Exported(files | {name: text.encode() for name, text in texts.items()}, tuple(notes))


def _shared(plan: Plan, scenario: Scenario, engines: int, *, has_ca: bool) -> Plan:
    """What each engine does. It gets its key in a variable, and knows nothing of this machine."""
    given = plan.endpoint
    is_open = given.auth == "none"
    endpoint = Endpoint(
        name=given.name,
        scoring_uri=given.scoring_uri,
        hosting=given.hosting,
        deployment=given.deployment,
        auth="none" if is_open else "key",
        key_env=None if is_open else KEY_VARIABLE,
        ca_file=CA if has_ca else None,
    )
    return Plan(
        command="load",
        endpoint=endpoint,
        scenario_path=SCENARIO,
        expect_json=scenario.expectation.json,
        users=max(math.ceil((plan.users or 1) / engines), 1),
        duration_s=plan.duration_s,
        harm_budget=plan.harm_budget,
        seed=plan.seed,
        thresholds=plan.thresholds,
    )


def criterion_of(goal: Goal) -> tuple[str | None, str | None]:
    """The goal as a failure criterion of the service, and what is lost; None where the service has no such measure.

    Thresholds are whole numbers there: a fraction is cut off, which makes the criterion the stricter one.

    >>> criterion_of(parse_goal("p95<=300ms"))
    ('p95(response_time_ms) > 300', None)
    >>> criterion_of(parse_goal("errors<=0.1%"))
    ('percentage(error) > 0', 'errors<=0.1% is kept as 0 %: the service takes whole numbers')
    """
    if goal.kind is GoalKind.LATENCY:
        percent = round(100 * (1 - goal.allowed_ratio), 6)
        if percent not in _PERCENTILES or goal.slow_ns is None:
            return None, f"{goal.text} is left out: the service knows p{', p'.join(map(str, _PERCENTILES))}"
        whole_ms = goal.slow_ns // MS
        lost = f"{goal.text} is kept as {whole_ms} ms: the service takes whole numbers" if goal.slow_ns % MS else None
        return f"p{percent:g}(response_time_ms) > {whole_ms}", lost
    if goal.kind is not GoalKind.ERRORS:
        return None, f"{goal.text} is left out: the service counts all failures together"
    percent = 100 * goal.allowed_ratio
    whole = math.floor(percent + 1e-9)
    lost = None if abs(percent - whole) < 1e-9 else f"{goal.text} is kept as {whole} %: the service takes whole numbers"
    return f"percentage(error) > {whole}", lost


def _locustfile(plan: Plan, title: str, archive: str, version: str) -> str:
    return _LOCUSTFILE.format(
        title=title,
        users=plan.users,
        seconds=f"{plan.duration_s:g}",
        version=version,
        key_variable=KEY_VARIABLE,
        archive=archive,
        plan=PLAN,
    )


def _criteria(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    found = [criterion_of(parse_goal(text)) for text in texts]
    return [line for line, _ in found if line is not None], [lost for _, lost in found if lost is not None]


def _run_document(plan: Plan, versions: Mapping[str, str]) -> dict[str, Any]:
    """What run.json holds; the clock anchor is the engine's own affair."""
    anchor = {"started_at": "1970-01-01T00:00:00+00:00", "monotonic_ns": 0}
    return {
        "schema": 1,
        "plan": plan_as_json(plan),
        "versions": dict(versions),
        "configuration_hash": "",
        "anchor": anchor,
    }


def _config(
    plan: Plan, title: str, criteria: Sequence[str], files: Sequence[str], engines: int, key_uri: str | None
) -> str:
    """The test configuration. JSON texts are YAML texts: every value is quoted as JSON quotes it."""
    lines = [
        "# Documented at learn.microsoft.com/azure/load-testing/reference-test-config-yaml",
        "version: v0.1",
        f"testId: {_test_id(plan.endpoint.name)}",
        f"displayName: {json.dumps(title[:50])}",
        f"description: {json.dumps(f'{plan.users} concurrent requests for {plan.duration_s:g} s'[:100])}",
        f"testPlan: {LOCUSTFILE}",
        "testType: Locust",
        f"engineInstances: {engines}",
        "configurationFiles:",
        *(f"  - {json.dumps(name)}" for name in files),
    ]
    lines += ["failureCriteria:", *(f"  - {line}" for line in criteria)] if criteria else []
    lines += ["autoStop:", "  errorPercentage: 50", "  timeWindow: 30"]
    if plan.endpoint.auth != "none":
        uri = key_uri or "https://VAULT.vault.azure.net/secrets/NAME"
        lines += ["secrets:", f"  - name: {KEY_VARIABLE}", f"    value: {json.dumps(uri)}"]
    return "\n".join(lines) + "\n"


def _test_id(name: str) -> str:
    """2 to 50 of the characters that the service takes."""
    return f"redline-{_ID.sub('-', name.lower()).strip('-')}"[:50].rstrip("-")
