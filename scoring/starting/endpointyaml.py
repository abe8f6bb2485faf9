"""What an endpoint or deployment YAML of Azure ML v2 says, as far as redline.toml has a place for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from scoring.controlplane.reading import at, count_at, text_at
from scoring.endpoint import Hosting
from scoring.errors import RedlineError
from scoring.text import harmless
from scoring.units import MS

MOST_ALIASES = 50
MOST_DEPTH = 30
_AUTH = {"key": "key", "aml_token": "token", "aad_token": "entra"}
_HINT = "a YAML file for az ml online-endpoint create, or for az ml online-deployment create"


@dataclass(frozen=True, slots=True)
class Described:
    """None: the YAML does not say."""

    endpoint: str | None = None
    hosting: Hosting | None = None
    auth: str | None = None  # one of scoring.endpoint.AUTH_KINDS
    deployment: str | None = None
    instances: int | None = None
    max_concurrent: int | None = None
    request_timeout_ns: int | None = None


def described(text: str, name: str) -> Described:
    """What one YAML text says. RedlineError for what is no such YAML; no tag is obeyed, no bomb unfolded."""
    document = _document(text, name)
    schema = (text_at(document, "$schema") or "").lower()
    is_deployment = "deployment" in schema or at(document, "endpoint_name") is not None
    if not isinstance(document, dict) or text_at(document, "endpoint_name" if is_deployment else "name") is None:
        raise RedlineError(f"{name} names no online endpoint", _HINT)
    if "batch" in schema:
        raise RedlineError(f"{name} describes a batch endpoint, which takes no scoring requests", _HINT)
    return _of_deployment(document, schema) if is_deployment else _of_endpoint(document, schema)


def together(parts: list[Described]) -> Described:
    """What several files say of one endpoint; RedlineError where they are about different ones."""
    names = sorted({part.endpoint for part in parts if part.endpoint is not None})
    if len(names) > 1:
        raise RedlineError(
            f"the YAML files are about different endpoints: {', '.join(names)}", "one endpoint at a time"
        )
    found = Described()
    for part in parts:
        said = {key: getattr(part, key) for key in Described.__slots__ if getattr(part, key) is not None}
        found = replace(found, **said)
    return found


def _of_endpoint(document: dict[str, Any], schema: str) -> Described:
    auth = text_at(document, "auth_mode")
    on_cluster = "kubernetes" in schema or text_at(document, "compute") is not None
    return Described(
        endpoint=text_at(document, "name"),
        hosting=Hosting.KUBERNETES if on_cluster else Hosting.MANAGED,
        auth=_AUTH.get((auth or "key").lower()),
    )


def _of_deployment(document: dict[str, Any], schema: str) -> Described:
    timeout_ms = count_at(document, "request_settings", "request_timeout_ms")
    on_cluster = "kubernetes" in schema or (text_at(document, "type") or "").lower() == "kubernetes"
    return Described(
        endpoint=text_at(document, "endpoint_name"),
        hosting=Hosting.KUBERNETES if on_cluster else Hosting.MANAGED,
        deployment=text_at(document, "name"),
        instances=count_at(document, "instance_count"),
        max_concurrent=count_at(document, "request_settings", "max_concurrent_requests_per_instance"),
        request_timeout_ns=None if timeout_ms is None else timeout_ms * MS,
    )


def _document(text: str, name: str) -> Any:
    import yaml

    try:
        _check_bounds(text, name)
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f":{mark.line + 1}"
        what = harmless(str(getattr(error, "problem", "") or "it cannot be read"), max_chars=200)
        raise RedlineError(f"{name}{line}: no YAML: {what}", _HINT) from error
    except (ValueError, RecursionError) as error:
        raise RedlineError(f"{name}: no YAML that can be read", _HINT) from error


def _check_bounds(text: str, name: str) -> None:
    """Returns for a YAML that is neither deeper nor repeats itself more often than one that a person wrote."""
    import yaml

    depth, aliases = 0, 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        if depth > MOST_DEPTH or aliases > MOST_ALIASES:
            what = (
                f"has more than {MOST_DEPTH} levels" if depth > MOST_DEPTH else f"has more than {MOST_ALIASES} aliases"
            )
            raise RedlineError(f"{name} {what}, which is not unfolded", _HINT)
