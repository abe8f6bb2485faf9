"""What one run is asked to do: enough to start it in another process, and nothing secret."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from scoring.endpoint import Endpoint, endpoint_as_json, endpoint_from
from scoring.errors import RedlineError

COMMANDS = ("limit", "load")
SPACINGS = ("poisson", "constant")
"""How the requests of an open loop are spread over time: at random, or equally far apart."""
DEFAULT_MAX_RPS = 500.0
"""An open search climbs no further unless told: what a managed endpoint takes before Microsoft raises its quota."""
SECRET_HEADERS = frozenset(
    {
        "api-key",
        "authorization",
        "cookie",
        "ocp-apim-subscription-key",
        "proxy-authorization",
        "x-api-key",
        "x-functions-key",
        "x-ms-authorization-auxiliary",
    }
)
"""Headers whose values are credentials: a plan is written to disk, so it refuses them."""

_MEASURES = (
    "command",
    "scenario_path",
    "payload",
    "headers",
    "expect_json",
    "deadline_ns",
    "goals",
    "users",
    "duration_s",
    "thresholds",
)
_MEASURES_OF_OPEN = ("rps", "last_rps", "spacing", "replay", "speed")
_MEASURES_OF_ENDPOINT = (
    "scoring_uri",
    "hosting",
    "deployment",
    "instances",
    "max_concurrent",
    "request_timeout_ns",
)


@dataclass(frozen=True)
class Plan:
    """One run of `redline limit` or `redline load`. Paths are absolute; the key is named by the endpoint, not held."""

    command: str  # one of COMMANDS
    endpoint: Endpoint
    scenario_path: str | None = None
    payload: str | None = None  # a file, a .jsonl file or a folder; takes the place of the scenario's own
    headers: tuple[tuple[str, str], ...] = ()
    expect_json: bool = True
    deadline_ns: int | None = None  # None: the scenario's own
    goals: tuple[str, ...] = ()
    max_users: int = 200
    harm_budget: int = 300  # rejections the run may cause
    budget_s: float = 600.0
    need: str | None = None
    seed: int = 1
    users: int | None = None  # load only
    duration_s: float | None = None  # load only
    thresholds: tuple[str, ...] = ()  # load only: goal texts
    is_open: bool = False  # an open loop: requests are due at a rate, over a pool of `max_users` connections
    max_rps: float | None = None  # limit only, of an open loop
    rps: float | None = None  # load only, of an open loop
    last_rps: float | None = None  # load only: the rate rises or falls evenly to this one over duration_s
    spacing: str = "poisson"  # of an open loop: one of SPACINGS
    replay: str | None = None  # load only, of an open loop: a file of instants, or a run folder, sent again
    speed: float = 1.0  # of a replay
    beyond: bool = False  # limit only: look at overload, recovery and bursts once the limit is known
    beyond_budget: int = 2000  # rejections that this may cause

    def __post_init__(self) -> None:
        if self.command not in COMMANDS:
            raise RedlineError(f"a plan for `{self.command[:40]}` is not known", "plans are for `limit` and `load`")
        if self.max_users < 1 or (self.users is not None and self.users < 1):
            raise RedlineError("a run needs at least 1 user", "give --max-users or --users a number from 1 up")
        for name, _ in self.headers:
            if name.lower() in SECRET_HEADERS:
                raise RedlineError(
                    f"header {name} holds a credential, and a plan is written to disk",
                    "name where the key is: --key-env VARIABLE, or key_file in redline.toml",
                )

    @property
    def most_rps(self) -> float | None:
        """The highest rate of an open loop, where one is told."""
        return max((rps for rps in (self.rps, self.last_rps, self.max_rps) if rps is not None), default=None)

    @property
    def most_users(self) -> int:
        """The users to spawn: the fixed number of a load, the cap of a search."""
        fixed = self.users if self.command == "load" and not self.is_open else None
        return self.max_users if fixed is None else fixed

    @property
    def most_harm(self) -> int:
        """Rejections the run may cause in all."""
        return self.harm_budget + (self.beyond_budget if self.beyond else 0)


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """Plain values; `plan_from` reads them back."""
    document = {field.name: getattr(plan, field.name) for field in fields(Plan)}
    return {**document, "endpoint": endpoint_as_json(plan.endpoint)}


def plan_from(document: dict[str, Any]) -> Plan:
    """The plan that `plan_as_json` wrote. Unknown keys are dropped, so that newer files stay readable."""
    known = {field.name for field in fields(Plan)}
    values = {name: value for name, value in document.items() if name in known}
    values["endpoint"] = endpoint_from(document["endpoint"])
    values["headers"] = tuple((str(name), str(value)) for name, value in values.get("headers") or ())
    for name in ("goals", "thresholds"):
        values[name] = tuple(values.get(name) or ())
    return Plan(**values)


def configuration_hash(plan: Plan) -> str:
    """Twelve hex digits, equal for runs that measure the same thing: the same requests, place, deadline and goals.

    Budgets, seed, need and where the key comes from are left out: they change how long one looks, not at what.
    """
    measured = {name: getattr(plan, name) for name in (*_MEASURES, *(_MEASURES_OF_OPEN if plan.is_open else ()))}
    endpoint = asdict(plan.endpoint)
    place = {name: endpoint[name] for name in _MEASURES_OF_ENDPOINT}
    text = json.dumps({**measured, "endpoint": place}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
