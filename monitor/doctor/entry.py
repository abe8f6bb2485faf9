"""Who is let in, and what is answered: key required, wrong key, credential, one good answer. Pure."""

from __future__ import annotations

from monitor.doctor.facts import Credential, Gap, Known, Seen
from scoring.attempt import Failure
from scoring.check import Check, fail, ok, unknown, warn
from scoring.endpoint import Endpoint, Hosting
from scoring.status import AUTH, failure_meaning, meaning
from scoring.units import show_ms, show_seconds

_BEFORE_ENTRY = frozenset({400, 404, 429, 500, 502, 503})
"""Statuses that a front end may give before it looks at the credential."""
SHORT_LIFE_S = 300
"""A token that ends sooner cannot carry a load test unless it is renewed."""


def key_required_check(endpoint: Endpoint, answer: Known[Seen]) -> Check:
    """Whether a request without a credential is refused."""
    name = "key_required"
    if isinstance(answer, Gap):
        return unknown(name, answer.why)
    if answer.status in AUTH:
        return ok(name, f"a request without a credential was refused with {answer.status}")
    if not _was_let_in(answer):
        return unknown(name, f"a request without a credential {_came_to(answer)}, which does not tell")
    what = f"a request without a credential was let in and answered {answer.status}"
    if endpoint.hosting is Hosting.LOCAL or (endpoint.hosting is None and endpoint.is_loopback):
        return warn(
            name, f"{what}: a local server checks none", "keep its port on 127.0.0.1: docker run -p 127.0.0.1:…"
        )
    by_default = ", the default of ACI" if endpoint.hosting is Hosting.ACI else ""
    return fail(name, f"{what}: anyone who knows the address can use it{by_default}", _close(endpoint))


def wrong_key_check(endpoint: Endpoint, answer: Known[Seen]) -> Check:
    """Whether a request with a key that is none is refused."""
    name = "wrong_key"
    if isinstance(answer, Gap):
        return unknown(name, answer.why)
    if answer.status in AUTH:
        return ok(name, f"a made-up key was refused with {answer.status}")
    if not _was_let_in(answer):
        return unknown(name, f"a request with a made-up key {_came_to(answer)}, which does not tell")
    return fail(name, f"a made-up key was let in and answered {answer.status}: keys are not checked", _close(endpoint))


def credential_check(endpoint: Endpoint, credential: Known[Credential | None], now_s: float) -> Check:
    """Whether a credential for scoring is there, where it came from and how long it lives."""
    name = "credential"
    if isinstance(credential, Gap):
        make = fail if credential.is_error else unknown
        return make(name, credential.why, credential.fix)
    if credential is None:
        return ok(name, 'none is needed: auth = "none"')
    spare = ", with a second key to fall back to" if credential.has_spare else ""
    what = f"the {'key' if endpoint.auth == 'key' else 'token'} comes from {credential.source}{spare}"
    if credential.expires_s is None:
        return ok(name, what)
    left_s = credential.expires_s - now_s
    if left_s <= 0:
        step = "date -u; the issuer's clock and this one differ, or an old token was handed out"
        return fail(name, f"{what}, which ended {show_seconds(-left_s)} ago", step)
    renewed = "" if credential.renew_from_s is None else f", renewed {_in(credential.renew_from_s - now_s)}"
    lives = f"{what}, valid for {show_seconds(left_s)}{renewed}"
    if left_s < SHORT_LIFE_S and credential.renew_from_s is None:
        return warn(name, lives, "name a credential that can be renewed: docs/credentials.md")
    return ok(name, lives)


def authenticated_check(endpoint: Endpoint, answer: Known[Seen], credential: Known[Credential | None]) -> Check:
    """Whether the credential lets a scoring request in."""
    name = "authenticated"
    if isinstance(answer, Gap):
        return unknown(name, answer.why)
    if answer.status is None:
        return fail(name, f"a scoring request {_came_to(answer)}", failure_meaning(_failure(answer)).next_step)
    how = "without a credential" if endpoint.auth == "none" else "with the credential"
    if answer.status in AUTH:
        said = meaning(answer.status, endpoint.hosting)
        return fail(name, f"a request {how} was refused with {answer.status}: {said.cause}", _new_key(endpoint))
    if answer.status in _BEFORE_ENTRY and not answer.is_of_model:
        return unknown(name, f"a scoring request {how} was answered {answer.status}, which does not tell")
    by = "" if answer.deployment is None else f" by deployment {answer.deployment}"
    what = f"a scoring request {how} was let in and answered {answer.status}{by}, id {answer.request_id}"
    if isinstance(credential, Credential) and credential.is_first_refused:
        return warn(name, f"the first key was refused; with the second one {what}", _new_key(endpoint))
    return ok(name, what)


def answer_check(endpoint: Endpoint, answer: Known[Seen]) -> Check:
    """Whether the scenario's payload is accepted and its answer is what the scenario expects."""
    name = "answer"
    if isinstance(answer, Gap):
        return unknown(name, answer.why)
    if answer.status is None or answer.status in AUTH:
        return unknown(name, "no scoring request came through")
    if answer.failure is None:
        phases = ", ".join(f"{phase} {show_ms(ms)}" for phase, ms in answer.phases_ms)
        return ok(name, f"payload `{answer.payload}` was answered {answer.status} as expected: {phases}")
    detail = f" ({answer.detail})" if answer.detail else ""
    if answer.failure is Failure.UNEXPECTED_STATUS:
        said = meaning(answer.status, endpoint.hosting)
        reason = f", {answer.reason}" if answer.reason else ""
        evidence = f"payload `{answer.payload}` was answered {answer.status}{reason}: {said.cause}{detail}"
        return fail(name, evidence, said.next_step)
    said = failure_meaning(answer.failure)
    evidence = f"payload `{answer.payload}` was answered {answer.status}, but {said.cause}{detail}"
    return fail(name, evidence, said.next_step)


def _was_let_in(answer: Seen) -> bool:
    """Whether the answer shows that no credential was asked for: the model server wrote it, or all is well."""
    return answer.is_of_model or (answer.status is not None and 200 <= answer.status < 300)


def _came_to(answer: Seen) -> str:
    if answer.status is not None:
        return f"was answered {answer.status}"
    detail = f" ({answer.detail})" if answer.detail else ""
    return f"got no answer: {failure_meaning(_failure(answer)).cause}{detail}"


def _failure(answer: Seen) -> Failure:
    return answer.failure or Failure.PROTOCOL_ERROR


def _in(seconds: float) -> str:
    return "at once" if seconds <= 0 else f"in {show_seconds(seconds)}"


def _close(endpoint: Endpoint) -> str:
    if endpoint.hosting in (Hosting.ACI, Hosting.AKS):
        return f'Webservice(workspace, "{endpoint.name}").update(auth_enabled=True), in the SDK v1'
    if endpoint.hosting in (Hosting.MANAGED, Hosting.KUBERNETES):
        return f"az ml online-endpoint update --name {endpoint.name} --set auth_mode=key"
    return "put it behind a gateway that asks for a key, or bind it to 127.0.0.1"


def _new_key(endpoint: Endpoint) -> str:
    if endpoint.auth == "entra":
        scope = endpoint.arm_id or "ENDPOINT_ID"
        return f"az role assignment create --role 'AzureML Data Scientist' --assignee YOU --scope {scope}"
    if endpoint.hosting in (Hosting.ACI, Hosting.AKS):
        return f'Webservice(workspace, "{endpoint.name}").get_keys(), in the SDK v1; keys change when regenerated'
    if endpoint.hosting in (Hosting.MANAGED, Hosting.KUBERNETES):
        return f"az ml online-endpoint get-credentials --name {endpoint.name}"
    return "compare the key with the one that the server was started with"
