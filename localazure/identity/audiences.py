"""Whom a token is for: the names that Azure's APIs have as audiences, in its public and its sovereign clouds."""

from __future__ import annotations

ARM = frozenset(
    f"https://management.{host}"
    for host in (
        *("azure.com", "core.windows.net", "chinacloudapi.cn", "core.chinacloudapi.cn"),
        *("usgovcloudapi.net", "core.usgovcloudapi.net"),
    )
)
ML = frozenset(("https://ml.azure.com", "https://ml.azure.cn", "https://ml.azure.us"))
LOGS = frozenset(
    (
        *("https://api.loganalytics.io", "https://api.loganalytics.azure.com", "https://api.loganalytics.azure.cn"),
        *("https://api.loganalytics.us", "https://api.applicationinsights.io"),
    )
)
METRICS = frozenset(f"https://metrics.monitor.azure.{end}" for end in ("com", "cn", "us"))
VAULT = frozenset(("https://vault.azure.net", "https://vault.azure.cn", "https://vault.usgovcloudapi.net"))
OTHERS = frozenset(
    (
        "https://monitor.azure.com",
        "https://graph.microsoft.com",
        "https://graph.windows.net",
        "https://storage.azure.com",
    )
)
EXCHANGE = "api://AzureADTokenExchange"
_OPENID = frozenset(("openid", "profile", "offline_access", "email"))


class UnknownResourceError(Exception):
    """A scope whose resource no API here answers to. Its text is the resource."""


class BadScopeError(Exception):
    """A scope that cannot be asked for in this way. Its text is the scope."""


def audience_of(scope: str, more: frozenset[str], *, is_app: bool) -> str:
    """The audience for a scope parameter, as it stands before `/.default`. An app can ask for `/.default` only."""
    wanted = [one for one in scope.split() if one not in _OPENID]
    if not wanted:
        raise BadScopeError(scope)
    resource, _, name = wanted[0].rpartition("/")
    if not resource or (is_app and name != ".default"):
        raise BadScopeError(scope)
    return checked_resource(resource, more)


def checked_resource(resource: str, more: frozenset[str]) -> str:
    """The resource as given, when it is an API here, or one of `more`."""
    if resource.rstrip("/") not in ARM | ML | LOGS | METRICS | VAULT | OTHERS | more:
        raise UnknownResourceError(resource)
    return resource
