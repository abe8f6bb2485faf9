"""What the telemetry process is told when it starts: whose telemetry it keeps, and what befalls it on the way."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field

SOURCES = ("requests", "exceptions", "traces", "traffic", "console", "events")
FORMATS = ("otel", "opencensus", "legacy")


@dataclass(frozen=True, slots=True)
class Names:
    """The ids under which one endpoint's telemetry is found."""

    endpoint: str
    deployment: str
    workspace_id: str  # customer id of the Log Analytics workspace
    app_id: str
    instrumentation_key: str
    subscription_id: str
    resource_group: str = "local"
    workspace_name: str = "local"
    location: str = "local"

    @property
    def _group(self) -> str:
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}/providers"

    @property
    def ml_workspace_id(self) -> str:
        return f"{self._group}/Microsoft.MachineLearningServices/workspaces/{self.workspace_name}"

    @property
    def endpoint_id(self) -> str:
        return f"{self.ml_workspace_id}/onlineEndpoints/{self.endpoint}"

    @property
    def endpoint_ids(self) -> list[str]:
        """All ids of the endpoint, as it is one service with several ways in: of v2 and of SDK v1."""
        names = [self.endpoint, *(f"{self.endpoint}-{suffix}" for suffix in ("token", "entra", "key", "open"))]
        return [f"{self.ml_workspace_id}/{kind}/{name}" for kind in ("onlineEndpoints", "services") for name in names]

    @property
    def deployment_id(self) -> str:
        return f"{self.endpoint_id}/deployments/{self.deployment}"

    @property
    def component_id(self) -> str:
        return f"{self._group}/Microsoft.Insights/components/{self.workspace_name}"

    @property
    def log_workspace_id(self) -> str:
        return f"{self._group}/Microsoft.OperationalInsights/workspaces/{self.workspace_name}"


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in nanoseconds. `has_traffic_log`: a diagnostic setting sends the endpoint's own logs."""

    names: Names
    hosting: str = "managed"
    instances: int = 1
    max_concurrent: int = 1
    scoring_path: str = "/score"
    request_timeout_ns: int = 5 * 10**9
    has_traffic_log: bool = True
    has_built_in_model: bool = True
    has_app_insights: bool = True  # at the start: the built-in model sends there
    format: str = "otel"
    delay_ns: int = 0
    flush_ns: int = 10**9
    sampling_ratio: float = 1.0
    duplicate_ratio: float = 0.0
    dropped: tuple[str, ...] = ()
    max_rows: int = 500_000
    max_answer_bytes: int = 100 * 2**20
    max_items_per_s: int | None = None  # 429 above; None: no bound
    server_pid: int = 0  # of the process that the log lines of the built-in model name
    console_file: str | None = None  # where real inference servers write their log
    seed: int = 1
    tls_pem: str | None = field(default=None, repr=False)  # key and chain of the listener; None: made by the process
    ca_pem: str | None = None
    signing_key: str | None = field(default=None, repr=False)  # hex, of the token issuer; None: any token is good
    static_token: str | None = field(default=None, repr=False)  # good beside those of the issuer


def to_line(settings: Settings) -> bytes:
    """One line of JSON."""
    return json.dumps(dataclasses.asdict(settings)).encode() + b"\n"


def from_line(line: bytes) -> Settings:
    """The settings that `to_line` wrote."""
    values = json.loads(line)
    names = Names(**values.pop("names"))
    return Settings(names=names, dropped=tuple(values.pop("dropped")), **values)
