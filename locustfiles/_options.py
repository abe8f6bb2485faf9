"""What a Locust command line says of a run: a run folder, or the few options that make a plan without one.

The key is named, never given: it is read in the process that needs it and stands in no argument, page or report.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from capacity.goals import parse_goal
from capacity.openload import MOST_RPS
from capacity.plan import SPACINGS, Plan, plan_as_json, plan_from
from capacity.runfolder import RUN, read_run
from scoring.endpoint import Endpoint, Hosting
from scoring.errors import RedlineError
from scoring.units import S, parse_duration_ns

RUN_VARIABLE = "REDLINE_RUN"


def add_arguments(parser: Any) -> None:
    """The parser knows our options; those that may hold something private are kept out of Locust's web page."""
    private = {"include_in_web_ui": False}
    add = parser.add_argument
    add("--run-folder", default="", env_var=RUN_VARIABLE, help="Take everything from this folder's run.json", **private)
    add("--payload", default="", help="File, .jsonl file or folder with the request bodies")
    add("--header", action="append", default=[], help="'Name: value', may be repeated; no credentials", **private)
    add("--key-env", default="", help="Environment variable that holds the key", **private)
    add("--hosting", default="", choices=["", *Hosting], help="Where the endpoint runs")
    add("--goal", action="append", default=[], help="Such as 'p95<=300ms', may be repeated", **private)
    add("--max-users", type=int, default=200, help="Never more concurrent requests than this")
    add("--rps", type=float, default=0.0, help="An open loop: requests due per second, in a search at most")
    add("--spacing", default="poisson", choices=SPACINGS, help="Of an open loop")
    add("--harm-budget", type=int, default=300, help="Rejections the run may cause")
    add("--budget", default="10m", help="The longest the run may take")
    add("--deadline", default="30s", help="An answer counts until then, from connecting to the last byte")
    add("--expect-any-body", action="store_true", help="Any body is good, not only JSON")


def plan_of(options: Any, host: str | None, command: str) -> Plan:
    """The plan of the run folder, of the master that sent one along, or of the options. RedlineError when wrong."""
    folder = run_folder_of(options)
    if folder is not None:
        return read_run(folder).plan
    sent_along = getattr(options, "redline_plan", None)
    if sent_along:
        return plan_from(json.loads(sent_along))
    if not host:
        raise RedlineError("no scoring URI is given", "add --host http://127.0.0.1:PORT/score")
    if not 0 <= options.rps <= MOST_RPS:
        raise RedlineError(f"--rps {options.rps} is no rate up to {MOST_RPS:,.0f} a second", "add --rps 50")
    for goal in options.goal:
        parse_goal(goal)
    return Plan(
        command=command,
        endpoint=Endpoint(
            name=urlsplit(host).netloc,
            scoring_uri=host,
            hosting=Hosting(options.hosting) if options.hosting else None,
            auth="key" if options.key_env else "none",
            key_env=options.key_env or None,
        ),
        payload=str(Path(options.payload).absolute()) if options.payload else None,
        headers=tuple(_header(text) for text in options.header),
        expect_json=not options.expect_any_body,
        deadline_ns=parse_duration_ns(options.deadline),
        goals=tuple(options.goal),
        max_users=options.max_users,
        harm_budget=options.harm_budget,
        budget_s=parse_duration_ns(options.budget) / S,
        is_open=options.rps > 0,
        rps=(options.rps or None) if command == "load" else None,
        max_rps=(options.rps or None) if command == "limit" else None,
        spacing=options.spacing,
        duration_s=options.run_time if isinstance(options.run_time, int) else None,
    )


def run_folder_of(options: Any) -> Path | None:
    """The run folder; None in a plain run, and on a worker that does not share the master's disk."""
    named = getattr(options, "run_folder", "")
    if not named:
        return None
    folder = Path(named)
    if getattr(options, "redline_plan", None) and not (folder / RUN).is_file():
        return None
    return folder


def send_along(options: Any, plan: Plan) -> None:
    """Workers get the plan with Locust's own options, wherever they run. It holds no secret."""
    options.redline_plan = json.dumps(plan_as_json(plan))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise RedlineError("a --header has no `Name: value` form", "write --header 'x-team: churn'")
    return name.strip(), value.strip()
