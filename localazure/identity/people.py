"""How a person signs in: by a code entered on another device, in a browser, and again without being asked."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from localazure.http1 import Request
from localazure.identity.errors import SignInError
from localazure.identity.tenant import PUBLIC_CLIENTS, Authorized, Device, Principal, Tenant
from localazure.identity.tokens import encoded, signed
from localazure.telemetry.replies import Reply, json_reply

_CODE_LIFE_S = 900.0
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"
_HTML = "text/html; charset=utf-8"


class People:
    """Owns the codes that wait, in the tenant."""

    def __init__(self, tenant: Tenant, url: str) -> None:
        self._tenant = tenant
        self._url = url

    def device_code(self, form: dict[str, str], now_s: float) -> Reply:
        client_id = self._checked_client(form)
        user_code, device_code = "".join(secrets.choice(_LETTERS) for _ in range(9)), secrets.token_urlsafe(40)
        self._tenant.device_codes[device_code] = Device(
            user_code, client_id, form.get("scope", ""), now_s + _CODE_LIFE_S
        )
        if self._tenant.approves_device_codes:
            self.approve(user_code)
        page = f"{self._url}/device"
        message = (
            f"To sign in, use a web browser to open the page {page} and enter the code {user_code} to authenticate."
        )
        return json_reply(
            {
                "user_code": user_code,
                "device_code": device_code,
                "verification_uri": page,
                "expires_in": int(_CODE_LIFE_S),
                "interval": 1,
                "message": message,
            }
        )

    def approve(self, user_code: str) -> bool:
        """The person behind this code is signed in; False for a code that does not wait."""
        for code, device in self._tenant.device_codes.items():
            if device.person is None and device.user_code == user_code.strip().upper():
                person = self._tenant.user(device.client_id)
                self._tenant.device_codes[code] = replace(device, person=person)
                return True
        return False

    def device_page(self, request: Request) -> Reply:
        """GET is a form, POST enters its code."""
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        field = '<form method="post"><label>Code <input name="user_code"></label> <button>Sign in</button></form>'
        if request.method != "POST":
            return _page(field)
        if self.approve(form.get("user_code", "")):
            return _page("<p>Signed in. This page can be closed.</p>")
        return _page(f"<p>No such code: {html.escape(form.get('user_code', ''))[:40]}</p>{field}", 400)

    def authorize(self, form: dict[str, str]) -> Reply:
        """The person consents at once: the browser is led back with a code."""
        client_id = self._checked_client(form)
        target = form.get("redirect_uri", "")
        if not _is_here(target):
            raise SignInError(
                50011, f"The redirect URI '{target}' specified in the request does not match.", "invalid_request"
            )
        code = secrets.token_urlsafe(40)
        scope, challenge, nonce = (form.get(name, "") for name in ("scope", "code_challenge", "nonce"))
        self._tenant.codes[code] = Authorized(client_id, target, scope, challenge, nonce)
        answer = {"code": code, "state": form.get("state", "")}
        if form.get("response_mode") == "form_post":
            fields = "".join(f'<input type="hidden" name="{n}" value="{html.escape(v)}">' for n, v in answer.items())
            action = html.escape(target)
            script = "<script>document.forms[0].submit()</script>"
            return _page(f'<form method="post" action="{action}">{fields}<button>Continue</button></form>{script}')
        return Reply(302, b"", _HTML, (("Location", f"{target}?{urlencode(answer)}"),))

    def signed_in(self, grant: str, form: dict[str, str], now_s: float) -> tuple[Principal, str, dict[str, Any]]:
        """The person, the scope, and what the answer says beside the access token. Raises SignInError."""
        client_id, scope, nonce = self._checked_client(form), "", ""
        if grant in ("device_code", "urn:ietf:params:oauth:grant-type:device_code"):
            principal, scope = self._by_device(form, now_s)
        elif grant == "authorization_code":
            principal, scope, nonce = self._by_code(form)
        elif grant == "refresh_token":
            principal = self._again(form)
        else:
            raise SignInError(
                70003, f"The app requested an unsupported grant type '{grant}'.", "unsupported_grant_type"
            )
        if principal.client_id != client_id:
            raise SignInError(
                700005, "Provided Authorization Code is intended to use against other client.", "invalid_grant"
            )
        return principal, form.get("scope") or scope, self._told(principal, nonce, now_s)

    def _by_device(self, form: dict[str, str], now_s: float) -> tuple[Principal, str]:
        code = form.get("device_code", form.get("code", ""))
        found = self._tenant.device_codes.get(code)
        if found is None:
            raise SignInError(
                70020, "The provided value for the input parameter 'device_code' is not valid.", "bad_verification_code"
            )
        if found.person is None:
            if found.expires_s <= now_s:
                raise SignInError(70020, "The device code has expired.", "expired_token")
            raise SignInError(
                70016,
                "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
                "authorization_pending",
            )
        del self._tenant.device_codes[code]
        return found.person, found.scope

    def _by_code(self, form: dict[str, str]) -> tuple[Principal, str, str]:
        found = self._tenant.codes.pop(form.get("code", ""), None)
        if found is None or found.redirect_uri != form.get("redirect_uri"):
            raise SignInError(70008, "The provided authorization code is invalid or has expired.", "invalid_grant")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if found.challenge and found.challenge != encoded(digest):
            raise SignInError(
                50148,
                "The code_verifier does not match the code_challenge supplied in the authorization request for PKCE.",
                "invalid_grant",
            )
        return self._tenant.user(found.client_id), found.scope, found.nonce

    def _again(self, form: dict[str, str]) -> Principal:
        found = self._tenant.refresh_tokens.get(form.get("refresh_token", ""))
        if found is None:
            raise SignInError(70000, "Provided grant is invalid or malformed.", "invalid_grant")
        return found

    def _told(self, principal: Principal, nonce: str, now_s: float) -> dict[str, Any]:
        tenant, refresh_token = self._tenant, secrets.token_urlsafe(40)
        tenant.refresh_tokens[refresh_token] = principal
        identity = {
            "aud": principal.client_id,
            "iss": f"{self._url}/{tenant.tenant_id}/v2.0",
            "iat": int(now_s),
            "nbf": int(now_s),
            "exp": int(now_s) + 3600,
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": tenant.tenant_id,
            "preferred_username": principal.user_name,
            "name": "Somebody",
            "ver": "2.0",
        }
        if nonce:
            identity["nonce"] = nonce
        info = json.dumps({"uid": principal.object_id, "utid": tenant.tenant_id}).encode()
        return {
            "refresh_token": refresh_token,
            "id_token": signed(identity, tenant.tokens.signing_key),
            "client_info": base64.urlsafe_b64encode(info).rstrip(b"=").decode(),
        }

    def _checked_client(self, form: dict[str, str]) -> str:
        client_id = form.get("client_id", "")
        if client_id not in (*PUBLIC_CLIENTS, self._tenant.client_id):
            raise SignInError(
                700016,
                f"Application with identifier '{client_id}' was not found in the directory 'Local'.",
                "unauthorized_client",
            )
        return client_id


def _is_here(target: str) -> bool:
    """The address is one of this machine."""
    try:
        return urlsplit(target).hostname in ("localhost", "127.0.0.1")
    except ValueError:
        return False


def _page(content: str, status: int = 200) -> Reply:
    text = f'<!doctype html><html lang="en"><head><title>Local sign-in</title></head><body>{content}</body></html>'
    return Reply(status, text.encode(), _HTML)
