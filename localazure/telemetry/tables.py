"""The tables of Application Insights and of online endpoints: what is stored, and how each name shows it.

An Application Insights table has two names: `requests` with `timestamp`, and `AppRequests` with `TimeGenerated`. Both
are views of one stored table. Expressions are SQL over the stored columns; `{name}` in them is a constant of the
endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

INGESTED = "$ingested"
"""Hidden column with the time at which a row could first be read."""

_TYPES = {"datetime": "TIMESTAMP", "string": "VARCHAR", "dynamic": "JSON", "int": "INTEGER", "long": "BIGINT"}
_TYPES |= {"real": "DOUBLE", "bool": "BOOLEAN", "guid": "UUID"}


@dataclass(frozen=True, slots=True)
class View:
    """A table as a query sees it: its columns with the SQL that fills them; `time` is the column of time spans."""

    name: str
    stored: str
    time: str
    columns: tuple[tuple[str, str], ...]


def sql_type(kql_type: str) -> str:
    return _TYPES[kql_type]


def _tag(name: str) -> str:
    return f"coalesce(json_extract_string(tags, '$.\"{name}\"'), '')"


_COMMON = {
    "ingested": "datetime",
    "timestamp": "datetime",
    "itemId": "string",
    "itemCount": "int",
    "operation_Name": "string",
    "operation_Id": "string",
    "operation_ParentId": "string",
    "cloud_RoleName": "string",
    "cloud_RoleInstance": "string",
    "sdkVersion": "string",
    "iKey": "string",
    "tags": "string",
    "customDimensions": "dynamic",
    "customMeasurements": "dynamic",
}
_OWN = {
    "requests": "id source name url success resultCode duration:real",
    "dependencies": "id target type name data success resultCode duration:real",
    "exceptions": "problemId handledAt type message assembly method outerType outerMessage outerAssembly outerMethod "
    "innermostType innermostMessage innermostAssembly innermostMethod severityLevel:int details:dynamic",
    "traces": "message severityLevel:int",
    "customEvents": "name",
    "customMetrics": "name valueSum:real valueCount:int valueMin:real valueMax:real valueStdDev:real",
    "availabilityResults": "id name location success message duration:real size:real",
    "performanceCounters": "name category counter instance value:real",
}
APP_NAMES = {
    "requests": "AppRequests",
    "dependencies": "AppDependencies",
    "exceptions": "AppExceptions",
    "traces": "AppTraces",
    "customEvents": "AppEvents",
    "customMetrics": "AppMetrics",
    "availabilityResults": "AppAvailabilityResults",
    "performanceCounters": "AppPerformanceCounters",
}
ITEM_TYPES = {
    "requests": "request",
    "dependencies": "dependency",
    "exceptions": "exception",
    "traces": "trace",
    "customEvents": "customEvent",
    "customMetrics": "customMetric",
    "availabilityResults": "availabilityResult",
    "performanceCounters": "performanceCounter",
}
_TRAFFIC = (
    "Method Path Protocol OperationName AuthType IdentityData ResponseCode:int ResponseCodeReason ModelStatusCode:int "
    "ModelStatusReason RequestPayloadSize:int ResponsePayloadSize:int TotalDurationMs:int RequestDurationMs:int "
    "ResponseDurationMs:int RequestThrottlingDelayMs:int ResponseThrottlingDelayMs:int UserAgent XRequestId "
    "XMSClientRequestId"
)
_ENDPOINT_OWN = {
    "AmlOnlineEndpointTrafficLog": _TRAFFIC,
    "AmlOnlineEndpointConsoleLog": "InstanceId ContainerName ContainerImageName Message OperationName",
    "AmlOnlineEndpointEventLog": "InstanceId Name Message OperationName",
}
ENDPOINT_TABLES = tuple(_ENDPOINT_OWN)


def _columns_of(text: str) -> dict[str, str]:
    pairs = (item.partition(":") for item in text.split())
    return {name: kind or "string" for name, _, kind in pairs}


STORED: dict[str, dict[str, str]] = {
    **{table: _COMMON | _columns_of(text) for table, text in _OWN.items()},
    **{
        table: {"ingested": "datetime", "timestamp": "datetime"} | _columns_of(text)
        for table, text in _ENDPOINT_OWN.items()
    },
}
"""Stored table → column → KQL type. The first two columns of each are `ingested` and `timestamp`."""

_BOUNDS_MS = (250, 500, 1_000, 3_000, 7_000, 15_000, 30_000, 60_000, 120_000, 300_000)
_LABELS = ("250ms", "500ms", "1sec", "3sec", "7sec", "15sec", "30sec", "1min", "2min", "5min")


def _performance_bucket() -> str:
    whens = [f"WHEN duration < {_BOUNDS_MS[0]} THEN '<{_LABELS[0]}'"]
    for bound_ms, low, high in zip(_BOUNDS_MS[1:], _LABELS, _LABELS[1:], strict=False):
        whens.append(f"WHEN duration < {bound_ms} THEN '{low}-{high}'")
    return f"CASE WHEN duration IS NULL THEN '' {' '.join(whens)} ELSE '>={_LABELS[-1]}' END"


_TAIL = (
    ("operation_Name", "operation_Name", "OperationName"),
    ("operation_Id", "operation_Id", "OperationId"),
    ("operation_ParentId", "operation_ParentId", "ParentId"),
    ("operation_SyntheticSource", _tag("ai.operation.syntheticSource"), "SyntheticSource"),
    ("session_Id", _tag("ai.session.id"), "SessionId"),
    ("user_Id", _tag("ai.user.id"), "UserId"),
    ("user_AuthenticatedId", _tag("ai.user.authUserId"), "UserAuthenticatedId"),
    ("user_AccountId", _tag("ai.user.accountId"), "UserAccountId"),
    ("application_Version", _tag("ai.application.ver"), "AppVersion"),
    ("client_Type", "'PC'", "ClientType"),
    ("client_Model", _tag("ai.device.model"), "ClientModel"),
    ("client_OS", _tag("ai.device.osVersion"), "ClientOS"),
    ("client_IP", "'0.0.0.0'", "ClientIP"),
    ("client_City", "''", "ClientCity"),
    ("client_StateOrProvince", "''", "ClientStateOrProvince"),
    ("client_CountryOrRegion", "''", "ClientCountryOrRegion"),
    ("client_Browser", _tag("ai.user.userAgent"), "ClientBrowser"),
    ("cloud_RoleName", "cloud_RoleName", "AppRoleName"),
    ("cloud_RoleInstance", "cloud_RoleInstance", "AppRoleInstance"),
    ("appId", "'{app_id}'", "ResourceGUID"),
    ("appName", "'{component_id}'", None),
    ("iKey", "iKey", "IKey"),
    ("sdkVersion", "sdkVersion", "SDKVersion"),
    ("itemId", "itemId", None),
)
_BUCKETED = ("requests", "dependencies", "availabilityResults")
_NEW_NAMES = {"duration": "DurationMs", "valueSum": "Sum", "valueMin": "Min", "valueMax": "Max"}


def _measured(table: str) -> bool:
    return table not in ("customMetrics", "performanceCounters")


def _own_columns(table: str) -> list[tuple[str, str, str | None]]:
    """Old name, SQL, new name of the columns that are the table's own."""
    found: list[tuple[str, str, str | None]] = []
    for name in _columns_of(_OWN[table]):
        new = _NEW_NAMES.get(name, name[0].upper() + name[1:])
        if name == "type":
            new = "DependencyType" if table == "dependencies" else "ExceptionType"
        if name in ("counter", "valueStdDev", "valueCount"):
            found.append((name, f'"{name}"', None))
        else:
            found.append((name, f'"{name}"', new))
        if name == "duration" and table in _BUCKETED:
            found.append(("performanceBucket", _performance_bucket(), "PerformanceBucket"))
    if table == "customMetrics":
        found.insert(1, ("value", "valueSum", None))
    found.append(("customDimensions", "customDimensions", "Properties"))
    if _measured(table):
        found.append(("customMeasurements", "customMeasurements", "Measurements"))
    return found


def old_view(table: str) -> View:
    """The table as an Application Insights resource shows it."""
    columns = [("timestamp", "timestamp"), ("itemType", f"'{ITEM_TYPES[table]}'")]
    columns += [(old, sql) for old, sql, _ in (*_own_columns(table), *_TAIL)]
    if _measured(table):
        columns.append(("itemCount", "itemCount"))
    columns.append(("_ResourceId", "'{component_path}'"))
    return View(table, table, "timestamp", tuple(columns))


def new_view(table: str) -> View:
    """The table as a Log Analytics workspace shows it. `Success` is a bool here."""
    columns = [("TenantId", "'{workspace_id}'"), ("TimeGenerated", "timestamp")]
    for _, sql, new in (*_own_columns(table), *_TAIL):
        if new == "Success":
            columns.append((new, "lower(success) IN ('true', '1')"))  # availability tests have 1 and 0
        elif new is not None:
            columns.append((new, sql))
    if _measured(table):
        columns.append(("ItemCount", "itemCount"))
    elif table == "customMetrics":
        columns.append(("ItemCount", "valueCount"))
    columns += _workspace_tail(APP_NAMES[table], "component_path", "'Application Insights'")
    return View(APP_NAMES[table], table, "timestamp", tuple(columns))


def endpoint_view(table: str) -> View:
    """A resource log of an online endpoint."""
    columns = [("TenantId", "'{workspace_id}'"), ("TimeGenerated", "timestamp")]
    if table == "AmlOnlineEndpointTrafficLog":
        columns += [("EndpointName", "'{endpoint}'"), ("DeploymentName", "'{deployment}'")]
        columns += [("AzureMLWorkspaceName", "'{workspace_name}'"), ("AzureMLWorkspaceId", "'{ml_workspace_guid}'")]
        columns.append(("Location", "'{location}'"))
    else:
        columns.append(("DeploymentName", "'{deployment}'"))
    columns += [(name, f'"{name}"') for name in _columns_of(_ENDPOINT_OWN[table])]
    columns += _workspace_tail(table, "endpoint_path", "'Azure'")
    return View(table, table, "timestamp", tuple(columns))


def _workspace_tail(name: str, resource: str, source: str) -> list[tuple[str, str]]:
    return [
        ("SourceSystem", source),
        ("Type", f"'{name}'"),
        ("_ResourceId", f"'{{{resource}}}'"),
        ("_SubscriptionId", "'{subscription_id}'"),
        ("_BilledSize", "CAST(1000 AS DOUBLE)"),
        ("_IsBillable", "'true'"),
    ]


def views(endpoint_tables: Iterable[str]) -> dict[str, View]:
    """Every table a query may name: of the endpoint's own logs those that a diagnostic setting sends."""
    found = [old_view(table) for table in _OWN] + [new_view(table) for table in _OWN]
    found += [endpoint_view(table) for table in endpoint_tables]
    return {view.name: view for view in found}
