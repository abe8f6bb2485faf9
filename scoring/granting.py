"""Edge: the credential of a scoring request: it stands where the endpoint says, or Azure gives it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from scoring.auth import checked_key, key_in_file, key_in_keyring, key_in_variable, no_source
from scoring.azure_auth import arm_scope, signed_in
from scoring.controlplane.ids import V1, arm_id_of
from scoring.endpoint import Endpoint, Hosting
from scoring.errors import Exit, RedlineError
from scoring.grant import Grant
from scoring.identity.surroundings import sign_in_environment
from scoring.jwt import expiry_s

if TYPE_CHECKING:
    from scoring.controlplane.clouds import Cloud
    from scoring.controlplane.rest import Rest
    from scoring.identity.signin import SignedIn

RENEW_BEFORE_S = 300.0
"""A token is renewed so long before it expires, and at half its life where it lives no longer than twice that."""
KEYRING_ENVIRONMENT = ("PYTHON_KEYRING_BACKEND", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "HOME", "DISPLAY")
_NO_TOKENS = {Hosting.ACI: "has no token authentication", Hosting.LOCAL: "has nobody who gives tokens"}


class ScoringSource:
    """Where the credential of one endpoint comes from. Each fetch asks anew; nothing is kept between two."""

    def __init__(self, endpoint: Endpoint, environ: Mapping[str, str]) -> None:
        self._endpoint = endpoint
        self._environ = environ

    @property
    def renews(self) -> bool:
        """False where a second fetch can bring nothing else: no credential, or keys of the environment."""
        endpoint = self._endpoint
        if endpoint.key_env is not None:
            return endpoint.secondary_key_file is not None
        return endpoint.auth != "none" or endpoint.key_file is not None

    def fetch(self) -> Grant | None:
        """The credential as it is at this moment; None where none is wanted. RedlineError (exit 4) with what is wrong.

        It blocks while Azure is asked, and never asks a person.
        """
        grant = self._primary()
        if grant is None:
            return None
        spare = self._spare()
        return grant if spare is None else replace(grant, spare=None if spare == grant.secret else spare)

    def _primary(self) -> Grant | None:
        endpoint = self._endpoint
        if endpoint.key_env is not None:
            key = key_in_variable(endpoint.key_env, self._environ, endpoint.name)
            return _standing(key, f"environment variable {endpoint.key_env}")
        if endpoint.key_file is not None:
            return _standing(key_in_file(endpoint.key_file, endpoint.name), f"file {endpoint.key_file}")
        if endpoint.key_keyring is not None:
            return _standing(key_in_keyring(endpoint.key_keyring, endpoint.name), f"keyring {endpoint.key_keyring}")
        if endpoint.key_vault is not None:
            return self._of_vault(endpoint.key_vault)
        if endpoint.auth == "none":
            return None
        check_can_be_given(endpoint)
        return self._of_entra() if endpoint.auth == "entra" else self._of_control_plane()

    def _spare(self) -> str | None:
        endpoint = self._endpoint
        if endpoint.secondary_key_env is not None:
            return key_in_variable(endpoint.secondary_key_env, self._environ, endpoint.name)
        if endpoint.secondary_key_file is not None:
            return key_in_file(endpoint.secondary_key_file, endpoint.name)
        return None

    def _of_vault(self, address: str) -> Grant:
        from scoring.identity.signin import cloud_signed_in_to
        from scoring.vault import secret_in, vault_secret

        secret = vault_secret(address, cloud_signed_in_to(self._endpoint.azure, self._environ))
        with self._signed_in(lambda cloud: cloud.vault_scope) as found, self._rest(found) as rest:
            value = secret_in(rest, secret, time.time())
        return _standing(checked_key(value, secret.words, self._endpoint.name), secret.words)

    def _of_control_plane(self) -> Grant:
        """Keys by listKeys, or a token, as whoever signs in."""
        from scoring.controlplane.calls import keys_of, token_of

        with self._signed_in() as found, self._rest(found) as rest:
            if self._endpoint.auth == "token":
                token = token_of(rest, self._endpoint)
                return replace(token, source=f"{token.source}, as {found.used}")
            keys = keys_of(rest, self._endpoint)
        verb = "listkeys" if arm_id_of(self._endpoint).kind == V1 else "listKeys"
        return Grant(keys.primary, f"{verb} (primary), as {found.used}", spare=keys.secondary)

    def _of_entra(self) -> Grant:
        with self._signed_in(lambda cloud: cloud.ml_scope) as found:
            token = found.credential.get_token(found.scope)
        return _ageing(token.token, f"Entra token, as {found.used}", float(token.expires_on), time.time())

    @contextmanager
    def _signed_in(self, scope_of: Callable[[Cloud], str] = arm_scope) -> Iterator[SignedIn]:
        """Whoever signs in, until the block ends."""
        found = signed_in(self._endpoint.azure, environ=self._environ, may_ask=False, scope_of=scope_of)
        with closing(found.credential):
            yield found

    def _rest(self, found: SignedIn) -> Rest:
        from scoring.controlplane.rest import Rest

        return Rest(found.access, found.credential, found.cloud)


def scoring_source(endpoint: Endpoint, environ: Mapping[str, str]) -> ScoringSource:
    """Where the endpoint's credential comes from. Nothing is read or asked before the first fetch."""
    return ScoringSource(endpoint, environ)


def environment_of(endpoint: Endpoint) -> tuple[str, ...]:
    """The variables that fetching the endpoint's credential may read; no other is needed to renew it."""
    named = tuple(name for name in (endpoint.key_env, endpoint.secondary_key_env) if name is not None)
    if endpoint.key_env is not None or endpoint.key_file is not None:
        return named
    if endpoint.key_keyring is not None:
        return (*named, *KEYRING_ENVIRONMENT)
    if endpoint.auth == "none" and endpoint.key_vault is None:
        return ()
    return tuple(dict.fromkeys((*named, *sign_in_environment(endpoint.azure))))


def check_can_be_given(endpoint: Endpoint) -> None:
    """Returns where Azure can give the credential that the endpoint wants. RedlineError (exit 4) says what to write."""
    hosting, name = endpoint.hosting, endpoint.name
    if endpoint.auth == "entra":
        if hosting in (None, Hosting.MANAGED) and not _is_v1(endpoint):
            return
        other = 'auth = "key" or "token"' if hosting in (Hosting.AKS, Hosting.KUBERNETES) else 'auth = "key"'
        kind = hosting or "a web service of SDK v1"
        raise _cannot(f'`{name}`: {kind} takes no Entra token; auth = "entra" is for managed endpoints', other)
    if endpoint.auth == "token" and hosting in _NO_TOKENS:
        raise _cannot(f"`{name}`: {hosting} {_NO_TOKENS[hosting]}", 'auth = "key" with key_env, or auth = "none"')
    if hosting is Hosting.LOCAL:
        message = (
            f"`{name}`: a local endpoint has no control plane that knows its key, and no key_env or key_file is set"
        )
        raise _cannot(message, "--key-env SCORING_KEY, or key_env or key_file in redline.toml")
    if endpoint.arm_id is None:
        raise no_source(endpoint)
    try:
        arm_id_of(endpoint)
    except RedlineError as error:
        raise RedlineError(error.message, error.hint, Exit.NO_ENTRY) from error


def _is_v1(endpoint: Endpoint) -> bool:
    """Whether the arm_id alone says that this is a web service of SDK v1."""
    if endpoint.arm_id is None or endpoint.hosting is not None:
        return False
    try:
        return arm_id_of(endpoint).kind == V1
    except RedlineError:
        return False


def _cannot(message: str, hint: str) -> RedlineError:
    return RedlineError(message, hint, Exit.NO_ENTRY)


def _standing(secret: str, source: str) -> Grant:
    """What somebody else puts there: a key, or a token that says of itself until when it holds."""
    return Grant(secret, source, expires_s=expiry_s(secret))


def _ageing(secret: str, source: str, expires_s: float, now_s: float) -> Grant:
    renew_from_s = max(expires_s - RENEW_BEFORE_S, (now_s + expires_s) / 2)
    return Grant(secret, source, renew_from_s=min(renew_from_s, expires_s), expires_s=expires_s)
