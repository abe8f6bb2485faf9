"""The identity and control-plane side of one endpoint: put together, listening, and told to others."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from localazure import certificate
from localazure.entrances import KINDS, Entrance, other_entrances
from localazure.http1 import Request
from localazure.identity import arm, control, managed, mms, vault
from localazure.identity.assertions import SUBJECTS
from localazure.identity.audiences import EXCHANGE, ML
from localazure.identity.checking import TokenCheck
from localazure.identity.door import CONTROL, ControlDoor, Route
from localazure.identity.faults import Faults
from localazure.identity.issuer import Issuer
from localazure.identity.site import Site
from localazure.identity.tenant import Tenant
from localazure.identity.tokens import Tokens
from localazure.options import OptionError, Options
from localazure.protocol import Connection
from localazure.telemetry.child import EXTRA, missing
from localazure.telemetry.replies import Reply
from localazure.telemetry.settings import Names

NEEDED = ("trustme", "cryptography")
_SECURED = ("issuer", "arm", "mms", "vault")


class Identity:
    """Owns the listeners of the token issuer, ARM, model management and managed identity, and what they share."""

    def __init__(self, options: Options, names: Names, main: Entrance) -> None:
        life_s = options.control.token_life_ns / 1e9
        self.tenant = Tenant(Tokens(secrets.token_bytes(32), life_s), options.control.roles)
        self.certificate = certificate.made()
        self.static_token = secrets.token_urlsafe(32)
        self.faults = Faults()
        self.entrances = [main, *other_entrances(options, main)]
        self.site = Site(names, options, self.tenant, self.entrances)
        self._doors: list[ControlDoor] = []
        self._servers: list[asyncio.Server] = []
        self._sockets = {api: listener() for api in (*_SECURED, "managed-identity")}
        self.site.authority, self.site.arm_url, self.site.mms_url, self.vault_url = (self._url(api) for api in _SECURED)
        self.issuer = Issuer(self.tenant, self.site.authority)
        for entrance in self.entrances:
            if entrance.auth == "token":
                audiences = frozenset((self.site.arm_id(entrance),))
                entrance.check = TokenCheck(self.tenant, audiences, needs_role=False)
            elif entrance.auth == "entra":
                entrance.check = TokenCheck(self.tenant, ML, needs_role=True)

    def _url(self, api: str) -> str:
        scheme = "https" if api in _SECURED else "http"
        return f"{scheme}://127.0.0.1:{self._sockets[api].getsockname()[1]}"

    async def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """All of it listens. The stand-in's own addresses are audiences too."""
        self.issuer.more = frozenset((self.site.arm_url, self.site.logs_url))
        context = certificate.context_of(self.certificate)
        for api, route in self._routes().items():
            door = ControlDoor(api, route, self.faults, loop)
            self._doors.append(door)
            tls = context if api in _SECURED else None
            server = await loop.create_server(lambda door=door: Connection(door), sock=self._sockets[api], ssl=tls)
            self._servers.append(server)
        every_ns = self.site.options.control.rotate_every_ns
        if every_ns is not None:
            loop.call_later(every_ns / 1e9, self._rotate, loop, every_ns / 1e9, 0)

    def _routes(self) -> dict[str, Route]:
        site, issuer, faults = self.site, self.issuer, self.faults

        def of_issuer(request: Request) -> Reply:
            return arm.metadata(site) if request.path == "/metadata/endpoints" else issuer.route(request)

        def of_arm(request: Request) -> Reply:
            if request.path.startswith(CONTROL):
                return control.route(site, issuer, faults, request)
            return arm.route(site, request)

        return {
            "issuer": of_issuer,
            "arm": of_arm,
            "mms": lambda request: mms.route(site, request),
            "vault": lambda request: vault.route(site, request),
            "managed-identity": lambda request: managed.route(issuer, request),
        }

    def _rotate(self, loop: asyncio.AbstractEventLoop, every_s: float, number: int) -> None:
        """Primary and secondary in turn, so that one of them is always known to who looked since the last time."""
        for entrance in self.entrances:
            self.site.regenerate(entrance, KINDS[number % 2])
        loop.call_later(every_s, self._rotate, loop, every_s, number + 1)

    def federated_token(self, life_s: float) -> str:
        """The token of a Kubernetes service account, for the file that workload identity reads."""
        return self.issuer.federated_token(SUBJECTS[0], EXCHANGE, life_s)

    def auth_json(self) -> str:
        """The service principal in the form of `az ad sp create-for-rbac --json-auth`."""
        site, tenant = self.site, self.tenant
        return json.dumps(
            {
                "clientId": tenant.client_id,
                "clientSecret": tenant.client_secret,
                "subscriptionId": site.names.subscription_id,
                "tenantId": tenant.tenant_id,
                "activeDirectoryEndpointUrl": site.authority,
                "resourceManagerEndpointUrl": f"{site.arm_url}/",
                "activeDirectoryGraphResourceId": "https://graph.windows.net/",
                "sqlManagementEndpointUrl": "https://management.core.windows.net:8443/",
                "galleryEndpointUrl": "https://gallery.azure.com/",
                "managementEndpointUrl": "https://management.core.windows.net/",
            },
            indent=2,
        )

    def ready_fields(self) -> dict[str, object]:
        """What the ready file says of it."""
        site, tenant = self.site, self.tenant
        hosting = site.options.hosting
        return {
            "authority": site.authority,
            "tenant_id": tenant.tenant_id,
            "client_id": tenant.client_id,
            "client_secret": tenant.client_secret,
            "arm_url": site.arm_url,
            "mms_url": site.mms_url,
            "vault_url": self.vault_url,
            "subscription_id": site.names.subscription_id,
            "resource_group": site.names.resource_group,
            "workspace_name": site.names.workspace_name,
            "endpoints": [
                {"name": one.name, "hosting": hosting, "auth": one.auth, "scoring_uri": one.scoring_uri}
                for one in self.entrances
            ],
        }

    def environments(self, files: dict[str, str]) -> dict[str, dict[str, str]]:
        """The variables that each kind of sign-in is known by where it works by itself; `files` are paths by use."""
        site, tenant, identity_url = self.site, self.tenant, self._url("managed-identity")
        common = {
            "AZURE_TENANT_ID": tenant.tenant_id,
            "AZURE_CLIENT_ID": tenant.client_id,
            "AZURE_AUTHORITY_HOST": site.authority,
            "REQUESTS_CA_BUNDLE": files["ca"],
        }
        token_url = f"{identity_url}{managed.TOKEN_PATH}"
        return {
            "environment": common | {"AZURE_CLIENT_SECRET": tenant.client_secret},
            "workload-identity": common | {"AZURE_FEDERATED_TOKEN_FILE": files["federated"]},
            "github": common
            | {
                "ACTIONS_ID_TOKEN_REQUEST_URL": f"{site.authority}/federated/token?api-version=2.0",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": tenant.request_token,
            },
            "azureml-v1": {
                "AZUREML_SERVICE_PRINCIPAL_TENANT_ID": tenant.tenant_id,
                "AZUREML_SERVICE_PRINCIPAL_ID": tenant.client_id,
                "AZUREML_SERVICE_PRINCIPAL_PASSWORD": tenant.client_secret,
            },
            "app-service": {"IDENTITY_ENDPOINT": token_url, "IDENTITY_HEADER": tenant.identity_header},
            "azure-ml": {"MSI_ENDPOINT": token_url, "MSI_SECRET": tenant.identity_header},
            "imds": {"AZURE_POD_IDENTITY_AUTHORITY_HOST": identity_url},
        }

    def hang_up(self) -> None:
        """No listener and no connection is left. To be called in the event loop."""
        for server in self._servers:
            server.close()
        for door in self._doors:
            for connection in list(door.connections):
                connection.hang_up()
        for one in self._sockets.values():
            one.close()


def started_identity(options: Options, names: Names, main: Entrance, say: Callable[[str], None]) -> Identity | None:
    """None where it is not wanted, or a package that it needs is missing."""
    if not options.control.is_on:
        return None
    lacking = missing(NEEDED)
    if lacking:
        say(f"note: no identity is served: {', '.join(lacking)} is not installed; {EXTRA}")
        return None
    identity = Identity(options, names, main)
    path = options.control.client_certificate
    if path is not None:
        try:
            identity.tenant.register(Path(path).read_bytes())
        except (OSError, ValueError) as error:
            raise OptionError(
                f"{path} is no certificate in PEM that can be read", "--client-certificate F.pem"
            ) from error
    return identity


def listener(port: int = 0) -> socket.socket:
    """A socket bound to 127.0.0.1. Raises OSError."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
    except OSError:
        found.close()
        raise
    found.setblocking(False)
    return found
