"""Edge: who signs in to Azure: the kind that was chosen, or the first unattended one that serves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from scoring.access import AzureAccess
from scoring.controlplane.clouds import Cloud, cloud_of
from scoring.errors import RedlineError
from scoring.identity import credentials, principals
from scoring.identity.credentials import FileToken, NotSignedIn, Signed
from scoring.identity.surroundings import managed_client_id, managed_form, watching_nobody

ORDER = (
    "token-file",
    "service-principal",
    "certificate",
    "environment",
    "workload-identity",
    "github",
    "managed-identity",
    "cli",
)
"""In which `auto` tries: what redline.toml names, what the environment holds, the platform, who is logged in."""

TOOLS = ("az", "azd", "pwsh")
_AUTH_LOCATION = "AZURE_AUTH_LOCATION"
_LACKS = {
    "token-file": "token_file is not set under [azure]",
    "service-principal": f"neither auth_file under [azure] nor {_AUTH_LOCATION} nor AZUREML_SERVICE_PRINCIPAL_* is set",
    "certificate": "certificate_file is not set under [azure]",
    "environment": "neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is set",
    "workload-identity": "AZURE_FEDERATED_TOKEN_FILE is not set",
    "github": "ACTIONS_ID_TOKEN_REQUEST_URL is not set",
    "cli": "none of az, azd and pwsh is installed",
}
_HINT_OF_KIND = {
    "token-file": 'token_file = "token.txt" under [azure] in redline.toml',
    "service-principal": 'auth_file = "auth.json" under [azure]; az ad sp create-for-rbac --name redline --json-auth',
    "certificate": 'certificate_file = "redline.pem" under [azure] in redline.toml',
    "environment": "export AZURE_TENANT_ID=... AZURE_CLIENT_ID=... && read -rs AZURE_CLIENT_SECRET"
    " && export AZURE_CLIENT_SECRET",
    "workload-identity": 'the label azure.workload.identity/use: "true" on the pod',
    "github": "permissions: id-token: write, in the workflow",
    "cli": "https://aka.ms/azure-cli, then az login",
}


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who serves. `access` is what was given, with the cloud of its auth_file.

    `used` says in words which credential serves, `others`, a line each, why those tried before it did not.
    """

    credential: Signed | FileToken
    kind: str  # of AZURE_AUTH_KINDS, never auto
    used: str
    others: tuple[str, ...]
    access: AzureAccess
    cloud: Cloud
    scope: str  # that it has given a token for


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a kind is made from. `document` is the JSON of the auth file."""

    access: AzureAccess
    environ: Mapping[str, str]
    cloud: Cloud
    auth_file: str | None
    document: object
    may_ask: bool
    say: Callable[[str], None]


def signed_in(
    access: AzureAccess,
    *,
    environ: Mapping[str, str],
    may_ask: bool,
    say: Callable[[str], None],
    scope_of: Callable[[Cloud], str],
) -> SignedIn:
    """The credential that gives a token for the scope, which has been tried.

    RedlineError (exit 4) where the chosen kind does not serve, where one is described by half, or where none serves.
    The managed identity and the tools look into the environment of this process, whatever `environ` says.
    """
    asked = _asked(access, environ, may_ask, say)
    scope = scope_of(asked.cloud)
    if access.auth != "auto":
        credential, used = _chosen(asked, access.auth, scope)
        return SignedIn(credential, access.auth, used, (), asked.access, asked.cloud, scope)
    others: list[str] = []
    for kind in ORDER:
        for make in _made(kind, asked, others):
            try:
                credential, used = _tried(make(), scope)
            except NotSignedIn as error:
                if not error.is_absent:
                    raise
                others.append(f"{kind}: {error.why}")
                continue
            return SignedIn(credential, kind, used, tuple(others), asked.access, asked.cloud, scope)
    raise _nobody(others)


def cloud_signed_in_to(access: AzureAccess, environ: Mapping[str, str]) -> Cloud:
    """The cloud that a sign-in is of, with what its auth_file says of it."""
    return _asked(access, environ, False, lambda _: None).cloud


def _asked(access: AzureAccess, environ: Mapping[str, str], may_ask: bool, say: Callable[[str], None]) -> _Asked:
    auth_file, document = None, None
    if access.auth in ("auto", "service-principal") and not (access.auth == "auto" and access.token_file):
        auth_file = access.auth_file or environ.get(_AUTH_LOCATION) or None
    if auth_file is not None:
        document = _json_in(auth_file)
        access = principals.access_of_auth_file(access, document, auth_file)
    return _Asked(access, environ, cloud_of(access, environ), auth_file, document, may_ask, say)


def _json_in(file: str) -> object:
    hint = "az ad sp create-for-rbac --name redline --json-auth > auth.json"
    data = credentials.read_file(Path(file), "signing in to Azure: auth_file", f"ls -l {file}")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotSignedIn(f"signing in to Azure: auth_file {file} is no JSON", hint) from error


def _chosen(asked: _Asked, kind: str, scope: str) -> tuple[Signed | FileToken, str]:
    """The credential of the one kind that was asked for, and in words what it is."""
    if kind in ("browser", "device-code"):
        return _tried(_of_person(kind, asked), scope)
    failed: NotSignedIn | None = None
    others: list[str] = []
    for make in _made(kind, asked, others, is_auto=False):
        try:
            return _tried(make(), scope)
        except NotSignedIn as error:
            failed = failed or error
    if failed is not None:
        raise failed
    why = others[0].partition(": ")[2]
    raise NotSignedIn(f"signing in to Azure by {kind}: {why}", _HINT_OF_KIND[kind])


def _made(
    kind: str, asked: _Asked, others: list[str], *, is_auto: bool = True
) -> Iterator[Callable[[], Signed | FileToken]]:
    """What makes the credentials of a kind; where there is nothing to make one from, `others` is told."""
    access = asked.access
    if kind == "token-file" and access.token_file is not None:
        file = access.token_file
        yield lambda: FileToken(file, "signing in to Azure by token-file")
    elif kind == "managed-identity":
        yield from _of_platform(asked)
    elif kind == "cli":
        tools = [tool for tool in TOOLS if shutil.which(tool)]
        yield from (lambda tool=tool: credentials.of_tool(tool, access.tenant_id) for tool in tools)
        if not tools:
            others.append(f"cli: {_LACKS['cli']}")
    elif kind == "github" and is_auto and not _github_has_ids(asked):
        url = asked.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL")
        others.append(
            f"github: {'AZURE_CLIENT_ID or AZURE_TENANT_ID' if url else 'ACTIONS_ID_TOKEN_REQUEST_URL'} is not set"
        )
    elif (principal := _principal(kind, asked)) is not None:
        found = principal
        yield lambda: credentials.of_principal(kind, found, asked.cloud, access.ca_file)
    else:
        others.append(f"{kind}: {_LACKS[kind]}")


def _principal(kind: str, asked: _Asked) -> principals.Principal | None:
    """The principal that a kind signs in as; None where it is not described. RedlineError where it is by half."""
    access, environ = asked.access, asked.environ
    if kind == "service-principal":
        if asked.auth_file is not None:
            return _beside(principals.of_auth_file(asked.document, asked.auth_file), asked.auth_file, environ)
        return principals.of_azureml(environ)
    if kind == "certificate":
        return principals.of_certificate(access, environ)
    if kind == "environment":
        return principals.of_environment(access, environ)
    if kind == "workload-identity":
        return principals.of_workload(access, environ)
    return principals.of_github(access, environ) if kind == "github" else None


def _beside(principal: principals.Principal, auth_file: str, environ: Mapping[str, str]) -> principals.Principal:
    """The principal whose certificate, where it names one, is found from the folder of its file."""
    if not isinstance(principal.proof, principals.Certificate):
        return principal
    file = str(Path(auth_file).parent / Path(principal.proof.file).expanduser())
    password = environ.get("AZURE_CLIENT_CERTIFICATE_PASSWORD") or None
    return replace(principal, proof=replace(principal.proof, file=file, password=password))


def _github_has_ids(asked: _Asked) -> bool:
    access, environ = asked.access, asked.environ
    has_ids = (environ.get("AZURE_CLIENT_ID") or access.client_id) and (
        environ.get("AZURE_TENANT_ID") or access.tenant_id
    )
    return bool(environ.get("ACTIONS_ID_TOKEN_REQUEST_URL") and has_ids)


def _of_platform(asked: _Asked) -> Iterator[Callable[[], Signed]]:
    form = managed_form(asked.environ)
    client_id = managed_client_id(asked.access, asked.environ)
    yield lambda: credentials.of_platform(form, client_id, asked.environ)


def _of_person(kind: str, asked: _Asked) -> Signed:
    variable = watching_nobody(asked.environ)
    if variable is not None or not asked.may_ask:
        why = f"{variable} is set" if variable else "there is no terminal, or the command goes on by itself for long"
        raise NotSignedIn(
            f"signing in to Azure by {kind}: a person is needed, and nobody can be asked: {why}",
            "--auth cli after az login, or --auth environment with AZURE_CLIENT_SECRET",
        )
    access, environ = asked.access, asked.environ
    client_id = None if access.auth_file or access.certificate_file else access.client_id
    tenant_id = access.tenant_id or environ.get("AZURE_TENANT_ID")
    return credentials.of_person(kind, client_id, tenant_id, asked.cloud, access.ca_file, asked.say)


def _tried(credential: Signed | FileToken, scope: str) -> tuple[Signed | FileToken, str]:
    """The credential once it has given a token, and what it is in words."""
    try:
        credential.try_for(scope)
    except RedlineError:
        credential.close()
        raise
    if isinstance(credential, FileToken):
        return credential, f"token-file ({credential.path})"
    signer = credential.signer
    is_named = signer.client_id is not None and signer.client_id not in signer.words
    return credential, f"{signer.words}, application {signer.client_id}" if is_named else signer.words


def _nobody(others: list[str]) -> RedlineError:
    told = [line for line in others if line.partition(": ")[2] not in _LACKS.values()]
    bare = len(others) - len(told)
    reasons = "; ".join([*told, f"{bare} other kinds are not set up"] if bare else told)
    return NotSignedIn(
        f"signing in to Azure: no credential is found: {reasons}",
        "az login, or export AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or auth_file under [azure]",
    )
