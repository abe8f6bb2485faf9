"""Edge: init from beginning to end: look the endpoint up, write redline.toml, send one request by what was written."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scoring.access import AzureAccess
from scoring.controlplane.clouds import Cloud, cloud_of
from scoring.controlplane.finding import found as found_in
from scoring.controlplane.finding import names_in
from scoring.controlplane.ids import ArmId
from scoring.controlplane.mms import swagger_beside
from scoring.controlplane.refusals import RestError, refusal_of
from scoring.controlplane.rest import Rest
from scoring.controlplane.transport import Answered, Transport, origin_of
from scoring.errors import Exit, RedlineError
from scoring.files import file_bytes, payloads_at
from scoring.starting import files
from scoring.starting.configjson import checked_workspace, workspace_at
from scoring.starting.endpointyaml import Described, described, together
from scoring.starting.found import (
    Found,
    checked_name,
    draft_of,
    near,
    of_address,
    of_deployed,
    with_described,
    with_key,
)
from scoring.starting.started import Checked, Started, answered, not_asked, not_checked
from scoring.swagger import sample_of

SWAGGER_S = 15.0
SWAGGER_VERSIONS = ("", "?version=3", "?version=3.1")
_WORKSPACE_HINT = "--from-config config.json, or --subscription ID --resource-group NAME --workspace NAME"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says, paths of files absolute. None: it does not."""

    out: Path
    endpoint: str | None = None
    name: str | None = None
    from_config: Path | None = None
    workspace: tuple[str | None, str | None, str | None] = (None, None, None)  # subscription, resource group, workspace
    from_yaml: tuple[Path, ...] = ()
    url: str | None = None
    deployment: str | None = None
    payload: str | None = None
    key_env: str | None = None
    key_file: str | None = None
    access: AzureAccess = field(default_factory=AzureAccess)
    force: bool = False
    verify: bool = True
    may_ask: bool = False


def started(
    asked: Asked,
    environ: Mapping[str, str],
    say: Callable[[str], None],
    choose: Callable[[list[str]], str | None],
) -> Started:
    """What was found, written and tried. `choose` asks a person for one of several names; None where nobody is there.

    RedlineError where there is nothing to write; what goes wrong after that is told in what is returned.
    """
    if asked.payload is not None:
        payloads_at(Path(asked.payload).expanduser())
    asked = replace(asked, access=_access(asked))
    yaml = together([_described_at(path) for path in asked.from_yaml])
    if asked.deployment is not None:
        yaml = replace(yaml, deployment=asked.deployment)
    found = _found(asked, yaml, environ, say, choose)
    found = with_key(found, asked.key_env, asked.key_file)
    files.check_writable(asked.out, found.endpoint.name, force=asked.force)
    return _written(asked, found, environ)


def _found(
    asked: Asked,
    yaml: Described,
    environ: Mapping[str, str],
    say: Callable[[str], None],
    choose: Callable[[list[str]], str | None],
) -> Found:
    if asked.url is not None and asked.from_config is None and not any(asked.workspace):
        found = of_address(asked.url, asked.name or asked.endpoint, yaml)
        return replace(found, azure=asked.access)
    workspace = _workspace(asked, yaml)
    name = asked.endpoint or yaml.endpoint
    if name is not None:
        files.check_writable(asked.out, checked_name(asked.name or name), force=asked.force)
    signed = _signed_in(asked, environ, say)
    with Rest(signed.access, signed.credential, cloud_of(signed.access, environ)) as rest:
        name = name or _only_one(rest, workspace, choose)
        deployed, cloud = found_in(rest, workspace, name), rest.cloud
    found = of_deployed(deployed, checked_name(asked.name or name), cloud, asked.access, _bundle(asked, cloud, environ))
    found = with_described(found, yaml)
    if asked.url is not None:
        found = replace(found, endpoint=replace(found.endpoint, scoring_uri=asked.url))
    return replace(found, signed_in=signed.used, signed_in_kind=signed.kind, others=signed.others)


def _access(asked: Asked) -> AzureAccess:
    """Who signs in: as the flags say, and where they say nothing as [azure] of the file that is there."""
    there = _azure_there(asked.out) or AzureAccess()
    given = {key: value for key in AzureAccess.__slots__ if (value := getattr(asked.access, key)) not in (None, "auto")}
    return replace(there, **given)


def _signed_in(asked: Asked, environ: Mapping[str, str], say: Callable[[str], None]) -> Any:
    from scoring.azure_auth import signed_in

    return signed_in(asked.access, environ=environ, may_ask=asked.may_ask, say=say)


def _workspace(asked: Asked, yaml: Described) -> ArmId:
    """The workspace of the flags, of the named config.json, or of the first one on the search path."""
    subscription, group, workspace = asked.workspace
    if subscription and group and workspace:
        return checked_workspace(subscription, group, workspace)
    if any(asked.workspace):
        names = ("--subscription", "--resource-group", "--workspace")
        missing = [name for name, value in zip(names, asked.workspace, strict=True) if not value]
        raise RedlineError(f"a workspace has three parts; {' and '.join(missing)} is not given", _WORKSPACE_HINT)
    try:
        return workspace_at(asked.from_config or Path())[0]
    except RedlineError as error:
        if asked.from_config is not None:
            raise
        about = f"`{yaml.endpoint}` is in" if yaml.endpoint else "the endpoint is in"
        hint = "--from-config config.json --endpoint NAME, or --url SCORING_URI"
        raise RedlineError(f"{error.message}, so it is not known which workspace {about}", hint) from error


def _only_one(rest: Rest, workspace: ArmId, choose: Callable[[list[str]], str | None]) -> str:
    """The only endpoint of the workspace, or the one that a person chose."""
    names = names_in(rest, workspace)
    if len(names) == 1:
        return names[0]
    if not names:
        message = f"the workspace `{workspace.workspace}` has no endpoint that can be seen"
        raise RedlineError(message, "az ml online-endpoint list -o table", Exit.NO_ENTRY)
    chosen = choose(names)
    if chosen is None:
        message = f"the workspace `{workspace.workspace}` has {len(names)} endpoints: {', '.join(names)}"
        raise RedlineError(message, f"--endpoint {names[0]}")
    return chosen


def _bundle(asked: Asked, cloud: Cloud, environ: Mapping[str, str]) -> str | None:
    """The file with the authority of a cloud that nobody knows; certificates of known clouds everybody trusts."""
    named = (asked.access.ca_file or environ.get("REQUESTS_CA_BUNDLE")) if cloud.is_custom else None
    return None if not named else str(Path(named).expanduser().resolve())


def _described_at(path: Path) -> Described:
    content = file_bytes(path, max_bytes=200_000)
    try:
        return described(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise RedlineError(f"{path}: not UTF-8 at byte {error.start}", "save it as UTF-8") from error


def _written(asked: Asked, found: Found, environ: Mapping[str, str]) -> Started:
    """The files written, then the request made by them."""
    scenario, origin, notes = _scenario(asked, found, environ)
    notes = (*notes, *_azure_notes(asked.out, found.azure))
    found = replace(found, endpoint=replace(found.endpoint, scenario=scenario), notes=(*found.notes, *notes))
    draft = draft_of(near(found, str(asked.out.resolve().parent)))
    is_added = files.write_settings(asked.out, draft, force=asked.force)
    checked = _checked(asked.out, found.endpoint.name, environ) if asked.verify else not_checked()
    return Started(found, str(asked.out), is_added, origin, checked)


def _azure_notes(out: Path, used: AzureAccess) -> tuple[str, ...]:
    """A line where [azure] of the file that is there, which stays, is not what this look-up used."""
    there = _azure_there(out)
    if there is None:
        return ()
    names = [key for key in AzureAccess.__slots__ if getattr(used, key) not in (None, "auto", getattr(there, key))]
    return (f"[azure] of {out} stays as it is, although this look-up used another {', '.join(names)}",) if names else ()


def _azure_there(out: Path) -> AzureAccess | None:
    """The [azure] of the file that is there; None where there is no file, or none in it."""
    from scoring.settings import read_settings

    there = read_settings(out).azure if out.exists() else AzureAccess()
    return None if there == AzureAccess() else there


def _scenario(asked: Asked, found: Found, environ: Mapping[str, str]) -> tuple[str | None, str | None, tuple[str, ...]]:
    """The scenario's path, where its payload is from, and what there is to say of it."""
    name = found.endpoint.name
    there = files.scenario_there(asked.out, name)
    if there is not None and not asked.force:
        stays = () if asked.payload is None else (f"{there} stays as it is; --force writes it anew with --payload",)
        return there, "the scenario that is there", stays
    if asked.payload is not None:
        return files.write_scenario_of(asked.out, name, asked.payload), f"the payload {asked.payload}", ()
    kept = None if there is None else "the scenario that is there"
    try:
        secret = _secret(found, environ)
    except RedlineError:
        return there, kept, ()  # the request at the end tells it
    try:
        document = _swagger(found, secret)
        sample = None if document is None else sample_of(document, found.endpoint.scoring_uri)
    except RedlineError as error:
        return there, kept, (f"no payload from its swagger: {error.message}",)
    if sample is None:
        return there, kept, ("its swagger says nothing of the payload: give one with --payload FILE",)
    unfit = () if sample.fits else ("the payload does not fit the schema in its swagger, as with rows of mixed types",)
    return files.write_scenario(asked.out, name, sample, force=asked.force), sample.origin, unfit


def _secret(found: Found, environ: Mapping[str, str]) -> str | None:
    """The credential of the scoring request, as Azure or the person's own place for it gives it."""
    from scoring.granting import scoring_source

    grant = scoring_source(replace(found.endpoint, azure=found.azure), environ).fetch()
    return None if grant is None else grant.secret


def _swagger(found: Found, secret: str | None) -> Any:
    """The service's description, in the first version that it has; None where it has none."""
    beside = swagger_beside(found.endpoint.scoring_uri)
    told = found.swagger_uri or beside
    uri = told if origin_of(told) == origin_of(beside) else beside  # the credential goes to the scoring host alone
    transport = Transport(found.endpoint.ca_file)
    until_s = time.monotonic() + SWAGGER_S
    answer: Answered | None = None
    try:
        for version in SWAGGER_VERSIONS:
            answer = transport.exchange("GET", uri + version, "its swagger", None, secret, until_s)
            if answer.status == 200:
                return _json(answer)
    finally:
        transport.close()
    if answer is None or answer.status == 404:
        return None
    raise refusal_of("its swagger", "the endpoint", answer.status, answer.headers, answer.body)


def _json(answer: Answered) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise RestError("its swagger is no JSON", "--payload FILE") from error


def _checked(out: Path, name: str, environ: Mapping[str, str]) -> Checked:
    """What one scoring request came to, made from the written file alone."""
    from scoring.client import probe
    from scoring.granting import scoring_source
    from scoring.scenariofile import read_scenario
    from scoring.settings import read_settings

    endpoint = read_settings(out).endpoints[name]
    try:
        scenario = read_scenario(endpoint.scenario)
        grant = scoring_source(endpoint, environ).fetch()
    except RedlineError as error:
        return not_asked(error)
    answer = probe(endpoint, scenario, scenario.payloads[0], None if grant is None else grant.secret)
    return answered(answer, endpoint, None if grant is None else grant.source)
