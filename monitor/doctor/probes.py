"""Edge: scoring requests without a credential, with a made-up one and with the right one; and the swagger document."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from monitor.doctor.facts import Credential, Gap, Known, Seen
from scoring.client import Answer, probe
from scoring.endpoint import Endpoint
from scoring.errors import RedlineError
from scoring.grant import Grant
from scoring.redact import redact
from scoring.scenario import Expectation, Payload, Scenario
from scoring.status import AUTH
from scoring.text import harmless
from scoring.units import MS, S

MADE_UP = "redline-doctor-asks-whether-keys-are-checked"
_OF_MODEL = ("x-ms-run-function-failed", "x-ms-run-fn-exec-ms", "x-ms-server-version")
"""Headers that the inference server writes: who sees one was let in."""
_VERSION = re.compile(r'"(swagger|openapi)"\s*:\s*"([0-9][0-9.]{0,12})"')
_SWAGGER_DEADLINE_NS = 10 * S
_NO_ENTRY = "the endpoint could not be reached"


@dataclass(frozen=True, slots=True)
class Entered:
    """What came of the requests."""

    without_key: Known[Seen]
    wrong_key: Known[Seen]
    credential: Known[Credential | None]
    scored: Known[Seen]
    swagger: Known[str]


def entered(endpoint: Endpoint, scenario: Scenario, environ: Mapping[str, str], *, is_reached: bool) -> Entered:
    """The requests one after the other, so that none is rejected because of another."""
    grant = _grant(endpoint, environ)
    credential = grant if isinstance(grant, Gap) else _credential(grant)
    if not is_reached:
        gap = Gap(_NO_ENTRY)
        return Entered(gap, gap, credential, gap, gap)
    without_key = _seen(endpoint, scenario, None)
    is_open = endpoint.auth == "none" and without_key.status not in AUTH
    wrong_key: Known[Seen] = (
        Gap('auth = "none": no key is meant to be checked') if is_open else _seen(endpoint, scenario, MADE_UP)
    )
    if isinstance(grant, Gap):
        return Entered(without_key, wrong_key, credential, Gap("there is no credential"), _swagger(endpoint, None))
    if grant is None:
        return Entered(without_key, wrong_key, None, without_key, _swagger(endpoint, None))
    scored, key = _with_either(endpoint, scenario, grant)
    if key is not grant.secret and isinstance(credential, Credential):
        credential = replace(credential, is_first_refused=True)
    return Entered(without_key, wrong_key, credential, scored, _swagger(endpoint, key))


def _with_either(endpoint: Endpoint, scenario: Scenario, grant: Grant) -> tuple[Seen, str]:
    """The answer to the credential, or where that was refused to the second one, when that one is taken."""
    scored = _seen(endpoint, scenario, grant.secret)
    if scored.status in AUTH and grant.spare is not None:
        second = _seen(endpoint, scenario, grant.spare)
        if second.status not in AUTH:
            return second, grant.spare
    return scored, grant.secret


def _grant(endpoint: Endpoint, environ: Mapping[str, str]) -> Known[Grant | None]:
    from scoring.granting import scoring_source

    try:
        return scoring_source(endpoint, environ).fetch()
    except RedlineError as error:
        return Gap(error.message, error.hint, is_error=True)


def _credential(grant: Grant | None) -> Credential | None:
    if grant is None:
        return None
    source = redact(harmless(grant.source, max_chars=300), grant.secrets)
    return Credential(source, grant.spare is not None, grant.renew_from_s, grant.expires_s)


def _seen(endpoint: Endpoint, scenario: Scenario, key: str | None) -> Seen:
    payload = scenario.payloads[0]
    sent_at_s = time.time()
    answer = probe(endpoint, scenario, payload, key)
    secrets = () if key is None else (key,)
    return Seen(
        status=answer.status,
        failure=answer.attempt.failure,
        detail=answer.detail,
        request_id=answer.attempt.request_id,
        is_of_model=any(name in answer.headers for name in _OF_MODEL),
        reason=_header(answer, "ms-azureml-model-error-reason", secrets),
        deployment=_header(answer, "azureml-model-deployment", secrets),
        payload=payload.name,
        phases_ms=tuple((name, spent_ns / MS) for name, spent_ns in answer.phases_ns.items()),
        date_skew_s=answer.date_skew_s,
        sent_at_s=sent_at_s,
    )


def _header(answer: Answer, name: str, secrets: tuple[str, ...]) -> str | None:
    value = answer.headers.get(name)
    return None if not value else redact(harmless(value, max_chars=100), secrets)


def _swagger(endpoint: Endpoint, key: str | None) -> Known[str]:
    """What the document beside the scoring path says of its version."""
    uri = f"{endpoint.scoring_uri.partition('?')[0].rpartition('/')[0]}/swagger.json"
    asks = Scenario(
        "swagger",
        (Payload("none", b""),),
        method="GET",
        expectation=Expectation(json=False),
        deadline_ns=_SWAGGER_DEADLINE_NS,
    )
    answer = probe(replace(endpoint, scoring_uri=uri), asks, asks.payloads[0], key)
    told = _VERSION.search(answer.body.decode("utf-8", "replace"))
    if answer.status == 200 and told is not None:
        return f"{told[1]} {told[2]}"
    step = "decorate run() of score.py with @input_schema and @output_schema of inference-schema"
    if answer.status is None:
        return Gap(f"no answer to GET {uri}: {answer.detail}", is_error=True)
    if answer.status in AUTH:
        return Gap(f"GET {uri} was answered {answer.status}")
    said = "with something that is no swagger document" if answer.status == 200 else f"{answer.status}"
    return Gap(f"GET {uri} was answered {said}: the script tells no schema", step, is_error=True)
