"""Facts of an endpoint that is fine, to be changed one at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from monitor.doctor.facts import (
    Address,
    Arrival,
    Certificate,
    Connected,
    Credential,
    Facts,
    Handshake,
    Rights,
    Seen,
    SignIn,
)
from scoring.controlplane.deployed import Deployed, Deployment, DiagnosticSetting, Permission
from scoring.endpoint import Endpoint, Hosting
from scoring.units import S

DAY_S = 86_400
NOW_S = 1_800_000_000.0
WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
ARM_ID = f"{WORKSPACE}/onlineEndpoints/churn"
LOGS_ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/logs"
URI = "https://churn.westeurope.inference.ml.azure.com/score"
ENDPOINT = Endpoint(
    "churn",
    URI,
    hosting=Hosting.MANAGED,
    auth="key",
    key_env="SCORING_KEY",
    arm_id=ARM_ID,
    instances=2,
    max_concurrent=4,
    request_timeout_ns=5 * S,
)
V4, V6 = Address("10.0.0.4", False), Address("fd00::4", True)
CERTIFICATE = Certificate(
    ("*.westeurope.inference.ml.azure.com",), "An Authority", NOW_S - 30 * DAY_S, NOW_S + 200 * DAY_S
)
SEEN = Seen(
    200, None, "", "7f3c", is_of_model=True, deployment="blue", payload="sample.json", date_skew_s=-0.4, sent_at_s=NOW_S
)
REFUSED = replace(SEEN, status=401, is_of_model=False, deployment=None)
BLUE = Deployment(
    "blue",
    traffic_percent=100,
    instances=2,
    max_concurrent=4,
    request_timeout_ns=5 * S,
    app_insights=True,
    state="Succeeded",
    environment={"WORKER_COUNT": "4"},
)
DEPLOYED = Deployed(
    "churn",
    ARM_ID,
    WORKSPACE,
    Hosting.MANAGED,
    "key",
    URI,
    state="Succeeded",
    deployments=(BLUE,),
    logs_workspace_arm_id=LOGS_ID,
)
ML = "Microsoft.MachineLearningServices/workspaces"
DATA_SCIENTIST = Permission(
    (f"{ML}/*/read", f"{ML}/*/action", f"{ML}/*/delete", f"{ML}/*/write"), (f"{ML}/delete", f"{ML}/write")
)
READER = Permission(("*/read",))
CONTRIBUTOR = Permission(("*",), ("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"))
OWNER = Permission(("*",))
FINE = Facts(
    endpoint=ENDPOINT,
    config="redline.toml describes `churn`",
    now_s=NOW_S,
    addresses=(V4, V6),
    connected=(Connected(V4, 1.5), Connected(V6, 2.5)),
    shaken=Handshake(None, "", "TLSv1.3", CERTIFICATE),
    without_key=REFUSED,
    wrong_key=REFUSED,
    credential=Credential("environment variable SCORING_KEY"),
    scored=SEEN,
    sign_in=SignIn("cli", ("environment: AZURE_CLIENT_ID is not set",), "oid-1", NOW_S - 300, NOW_S + 3600, NOW_S),
    deployed=DEPLOYED,
    rights_endpoint=Rights(ARM_ID, (DATA_SCIENTIST,)),
    rights_logs=Rights(LOGS_ID, (READER,)),
    rights_metrics=Rights("/subscriptions/s", (READER,)),
    arrival=Arrival(62.0, "200"),
    diagnostics=(DiagnosticSetting("keep", LOGS_ID, frozenset(("allLogs",))),),
    metrics=11,
    swagger="openapi 3.0.3",
)


def but(**changed: Any) -> Facts:
    """The fine facts with these changed."""
    return replace(FINE, **changed)


def deployed_as(**changed: Any) -> Deployed:
    """The endpoint with its one deployment changed."""
    return replace(DEPLOYED, deployments=(replace(BLUE, **changed),))
