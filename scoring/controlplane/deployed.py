"""What Azure says of an endpoint, the same for both generations. None: Azure does not say, or was not asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scoring.endpoint import Hosting


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment behind an endpoint; a web service of SDK v1 is its own only one, without a name."""

    name: str | None
    traffic_percent: int | None = None  # share of the requests that name no deployment
    mirror_percent: int | None = None  # share of them that is copied to it
    instances: int | None = None  # instances or replicas; of an autoscaled one, those it has at present
    max_concurrent: int | None = None  # requests one instance serves at once
    request_timeout_ns: int | None = None
    queue_wait_ns: int | None = None
    autoscale_min: int | None = None
    autoscale_max: int | None = None
    app_insights: bool | None = None
    state: str | None = None  # provisioning state, "Succeeded"
    instance_type: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)  # those of `TOLD_VARIABLES` that it sets


@dataclass(frozen=True, slots=True)
class Deployed:
    """An endpoint as ARM or model management describes it. Texts are foreign, made harmless."""

    name: str
    arm_id: str
    workspace_arm_id: str
    hosting: Hosting
    auth: str  # one of scoring.endpoint.AUTH_KINDS
    scoring_uri: str | None  # None while it is being made
    swagger_uri: str | None = None
    location: str | None = None
    public_network: bool | None = None
    state: str | None = None
    error: str | None = None  # why it is not healthy, in Azure's words
    compute: str | None = None  # the cluster it runs on
    deployments: tuple[Deployment, ...] = ()
    app_insights_id: str | None = None  # resource id of the component
    logs_workspace_id: str | None = None  # GUID of the Log Analytics workspace
    logs_workspace_arm_id: str | None = None
    notes: tuple[str, ...] = ()  # what could not be looked up, one line each

    @property
    def carrying(self) -> Deployment | None:
        """The deployment that takes most of the traffic, the first of several; None where none takes any."""
        live = [one for one in self.deployments if one.traffic_percent is None or one.traffic_percent > 0]
        return max(live, key=lambda one: one.traffic_percent or 0, default=None)


@dataclass(frozen=True, slots=True)
class Keys:
    """The two keys of an endpoint. `repr` shows neither."""

    primary: str = field(repr=False)
    secondary: str | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Permission:
    """One role's actions that hold at a scope; `*` stands for any text, also across slashes."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DiagnosticSetting:
    """Where the logs of a resource go. `categories` are the enabled ones; a group stands as its name, `allLogs`."""

    name: str
    workspace_arm_id: str | None
    categories: frozenset[str]


TOLD_VARIABLES = (
    "WORKER_COUNT",
    "WORKER_TIMEOUT",
    "WORKER_PRELOAD",
    "SCORING_TIMEOUT_MS",
    "AML_APP_INSIGHTS_ENABLED",
    "AML_MDC_STORAGE_ENABLED",
    "AML_MODEL_DC_STORAGE_ENABLED",
    "AZUREML_ENTRY_SCRIPT",
    "AZUREML_LOG_LEVEL",
    "SERVICE_NAME",
)
"""Variables of a deployment that change how it serves or what it tells. Others may be secret and are not kept."""
