"""The APIs of one running endpoint, called by plain requests with a token of the real azure-identity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
from azure.identity import ClientSecretCredential

ARM_SCOPE = "https://management.azure.com/.default"
ML_SCOPE = "https://ml.azure.com/.default"
BODY = b'{"data": [[1, 2, 3]]}'


def how(ready: dict[str, Any]) -> dict[str, Any]:
    """The options by which a credential of azure-identity finds the stand-in."""
    return {
        "authority": ready["authority"],
        "disable_instance_discovery": True,
        "connection_verify": ready["ca_file"],
        "retry_total": 0,
    }


@contextmanager
def secret_credential(ready: dict[str, Any], **changed: str) -> Iterator[ClientSecretCredential]:
    values = {name: ready[name] for name in ("tenant_id", "client_id", "client_secret")} | changed
    with ClientSecretCredential(*values.values(), **how(ready)) as credential:
        yield credential


def token_of(ready: dict[str, Any], scope: str = ARM_SCOPE) -> str:
    with secret_credential(ready) as credential:
        return credential.get_token(scope).token


@dataclass
class Calling:
    """Calls as the service principal. The token is asked for once."""

    ready: dict[str, Any]
    token: str = ""
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.token = self.token or token_of(self.ready)

    @property
    def workspace(self) -> str:
        ready = self.ready
        group = f"/subscriptions/{ready['subscription_id']}/resourceGroups/{ready['resource_group']}"
        return f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{ready['workspace_name']}"

    def endpoint(self, name: str = "local") -> str:
        return f"{self.workspace}/onlineEndpoints/{name}"

    def arm(self, method: str, path: str, body: object = None, *, version: str | None = "2024-04-01") -> Any:
        query = "" if version is None else f"?api-version={version}"
        return self.call(method, f"{self.ready['arm_url']}{path}{query}", body)

    def mms(self, method: str, path: str, body: object = None) -> Any:
        return self.call(method, f"{self.ready['mms_url']}/modelmanagement/v1.0{self.workspace}{path}", body)

    def command(self, name: str, body: object = None) -> Any:
        """A command to the stand-in itself; it has been carried out."""
        answer = self.call("POST" if name != "counts" else "GET", f"{self.ready['arm_url']}/redline/{name}", body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def call(self, method: str, url: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} | self.more
        return requests.request(method, url, json=body, headers=headers, verify=self.ready["ca_file"], timeout=30)

    def uri(self, name: str) -> str:
        return str(next(one["scoring_uri"] for one in self.ready["endpoints"] if one["name"] == name))

    def score(self, name: str, secret: str | None) -> requests.Response:
        return score(self.uri(name), secret)


def score(uri: str, secret: str | None) -> requests.Response:
    headers = {"Content-Type": "application/json"}
    if secret is not None:
        headers["Authorization"] = f"Bearer {secret}"
    return requests.post(uri, BODY, headers=headers, timeout=30)
