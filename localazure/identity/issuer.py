"""The token issuer: what Microsoft Entra ID answers to apps, to people's devices and to browsers."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

from localazure.http1 import Request
from localazure.identity import assertions
from localazure.identity.audiences import BadScopeError, UnknownResourceError, audience_of, checked_resource
from localazure.identity.errors import SignInError, sign_in_reply
from localazure.identity.people import People
from localazure.identity.tenant import PUBLIC_CLIENTS, Principal, Tenant
from localazure.identity.tokens import signed
from localazure.telemetry.replies import Reply, json_reply

_SHARED = ("common", "organizations")
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_NO_STORE = (("Cache-Control", "no-store, no-cache"), ("Pragma", "no-cache"))
_FEDERATED_LIFE_S = 600.0


class Issuer:
    """Answers for one tenant. `url` is its own address; `more` are audiences beside those of Azure."""

    def __init__(self, tenant: Tenant, url: str) -> None:
        self.tenant = tenant
        self.url = url
        self.issued_counts: dict[str, int] = {}
        self.more: frozenset[str] = frozenset()
        self._people = People(tenant, url)

    @property
    def federated_issuer(self) -> str:
        return f"{self.url}/federated"

    def route(self, request: Request) -> Reply:
        path = unquote(request.path)
        first, _, rest = path.strip("/").partition("/")
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        try:
            if first == "federated":
                return self._federated(request, query)
            if first == "device":
                return self._people.device_page(request)
            if path == "/common/discovery/instance":
                return self._instances()
            return self._in_tenant(first, rest.lower(), request, query)
        except SignInError as error:
            return sign_in_reply(error, time.time(), request.headers.get("client-request-id"))

    def _in_tenant(self, tenant_id: str, rest: str, request: Request, query: dict[str, str]) -> Reply:
        if rest not in _ROUTES:
            return json_reply({"error": {"code": "NotFound", "message": f"{request.path} is not served here"}}, 404)
        if tenant_id.lower() not in (self.tenant.tenant_id, *_SHARED):
            raise SignInError(
                90002,
                f"Tenant '{tenant_id}' not found. Check to make sure you have the correct tenant ID and are signing "
                "into the correct cloud. Check with your subscription administrator, this may happen if there are no "
                "active subscriptions for the tenant.",
                "invalid_tenant" if rest.endswith("openid-configuration") else "invalid_request",
            )
        method, answer = _ROUTES[rest]
        if request.method != method:
            return json_reply({"error": "invalid_request"}, 405, (("Allow", method),))
        form = query if method == "GET" else _form(request)
        return answer(self, tenant_id, form)

    def _instances(self) -> Reply:
        host = self.url.partition("://")[2]
        known = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
        configuration = f"{self.url}/{self.tenant.tenant_id}/v2.0/.well-known/openid-configuration"
        return json_reply(
            {"tenant_discovery_endpoint": configuration, "api-version": "1.1", "metadata": [known]},
        )

    def _configuration(self, tenant_id: str, _form: dict[str, str]) -> Reply:
        start = f"{self.url}/{tenant_id}"
        return json_reply(
            {
                "token_endpoint": f"{start}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "jwks_uri": f"{start}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "response_types_supported": ["code", "id_token", "code id_token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": f"{self.url}/{self.tenant.tenant_id}/v2.0",
                "authorization_endpoint": f"{start}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{start}/oauth2/v2.0/devicecode",
                "end_session_endpoint": f"{start}/oauth2/v2.0/logout",
                "tenant_region_scope": "local",
                "cloud_instance_name": self.url.partition("://")[2],
            }
        )

    def _token(self, _tenant_id: str, form: dict[str, str]) -> Reply:
        grant = form.get("grant_type", "")
        if grant == "client_credentials":
            self._check_app(form)
            return self._granted(form, self.tenant.service, is_app=True)
        principal, scope, more = self._people.signed_in(grant, form, time.time())
        return self._granted(form | {"scope": scope}, principal, is_app=False, more=more)

    def _check_app(self, form: dict[str, str]) -> None:
        """The client is known and has proved itself. Raises SignInError."""
        tenant, client_id = self.tenant, form.get("client_id", "")
        if client_id != tenant.client_id:
            if client_id in PUBLIC_CLIENTS:
                raise SignInError(
                    7000218,
                    "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
                )
            raise SignInError(
                700016,
                f"Application with identifier '{client_id}' was not found in the directory 'Local'. This can happen if "
                "the application has not been installed by the administrator of the tenant or consented to by any user "
                "in the tenant. You may have sent your authentication request to the wrong tenant.",
                "unauthorized_client",
            )
        if form.get("client_assertion_type") == _ASSERTION:
            token_url = f"{self.url}/{tenant.tenant_id}/oauth2/v2.0/token"
            assertions.check(tenant, form.get("client_assertion", ""), token_url, self.federated_issuer, time.time())
        elif not hmac.compare_digest(form.get("client_secret", "").encode(), tenant.client_secret.encode()):
            raise SignInError(
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{client_id}'.",
            )
        elif tenant.is_secret_expired:
            raise SignInError(
                7000222,
                f"The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create "
                "new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for "
                "added security: https://aka.ms/certCreds.",
            )

    def _granted(
        self, form: dict[str, str], principal: Principal, *, is_app: bool, more: dict[str, Any] | None = None
    ) -> Reply:
        token = self.issue(self._audience(form, is_app=is_app), principal)
        life_s = token.expires_s - token.issued_s
        document = {
            "token_type": "Bearer",
            "expires_in": life_s,
            "ext_expires_in": life_s,
            "refresh_in": token.refresh_s - token.issued_s,
            "access_token": token.text,
        }
        if "resource" in form:  # the older form of the call
            document |= {"expires_on": str(token.expires_s), "resource": form["resource"]}
        if more is not None:
            document |= {"scope": form.get("scope", ""), **more}
        return json_reply(document, 200, _NO_STORE)

    def _audience(self, form: dict[str, str], *, is_app: bool) -> str:
        try:
            if "resource" in form:
                return checked_resource(form["resource"], self.more)
            return audience_of(form.get("scope", ""), self.more, is_app=is_app)
        except UnknownResourceError as error:
            raise SignInError(
                500011,
                f"The resource principal named {error} was not found in the tenant named Local. This can happen if the "
                "application has not been installed by the administrator of the tenant or consented to by any user in "
                "the tenant. You might have sent your authentication request to the wrong tenant.",
                "invalid_resource",
            ) from None
        except BadScopeError as error:
            raise SignInError(
                1002012,
                f"The provided value for scope {error} is not valid. Client credential flows must have a scope value "
                "with /.default suffixed to the resource identifier (application ID URI).",
                "invalid_scope",
            ) from None

    def issue(self, audience: str, principal: Principal) -> Any:
        """A token for the principal, counted by audience. Managed identity is served by it too."""
        name = audience.rstrip("/")
        self.issued_counts[name] = self.issued_counts.get(name, 0) + 1
        return self.tenant.tokens.issue(audience, self.tenant.claims(principal, self.url), time.time())

    def checked(self, resource: str) -> str:
        """Raises UnknownResourceError."""
        return checked_resource(resource.removesuffix("/.default"), self.more)

    def _device_code(self, _tenant_id: str, form: dict[str, str]) -> Reply:
        return self._people.device_code(form, time.time())

    def _authorize(self, _tenant_id: str, form: dict[str, str]) -> Reply:
        return self._people.authorize(form)

    def federated_token(self, subject: str, audience: str, life_s: float) -> str:
        """What a Kubernetes service account or a GitHub workflow is known by."""
        now_s = time.time()
        claims = {"iss": self.federated_issuer, "sub": subject, "aud": audience, "iat": int(now_s)}
        return signed(
            claims | {"exp": int(now_s + life_s), "jti": secrets.token_hex(8)}, self.tenant.tokens.signing_key
        )

    def _federated(self, request: Request, query: dict[str, str]) -> Reply:
        """GitHub's request URL: a fresh token of the workflow, for the audience that is asked for."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        is_known = hmac.compare_digest(given.strip().encode(), self.tenant.request_token.encode())
        if scheme.lower() != "bearer" or not is_known:
            return json_reply({"message": "Unauthorized"}, 401)
        audience = query.get("audience", "https://github.com/local")
        token = self.federated_token(assertions.SUBJECTS[1], audience, _FEDERATED_LIFE_S)
        return json_reply({"count": len(token), "value": token})


Answer = Callable[[Issuer, str, dict[str, str]], Reply]
_ROUTES: dict[str, tuple[str, Answer]] = {
    "v2.0/.well-known/openid-configuration": ("GET", Issuer._configuration),
    ".well-known/openid-configuration": ("GET", Issuer._configuration),
    "oauth2/v2.0/token": ("POST", Issuer._token),
    "oauth2/token": ("POST", Issuer._token),
    "oauth2/v2.0/devicecode": ("POST", Issuer._device_code),
    "oauth2/v2.0/authorize": ("GET", Issuer._authorize),
}


def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
