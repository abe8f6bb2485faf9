"""Which identities the environment and redline.toml describe whole, and which only by half."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from scoring.access import AzureAccess
from scoring.errors import Exit, RedlineError
from scoring.text import harmless

_AZUREML = "AZUREML_SERVICE_PRINCIPAL_"
_WHOLE_FILE = "az ad sp create-for-rbac --name redline --json-auth > auth.json"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")


@dataclass(frozen=True, slots=True)
class Secret:
    """A client secret."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A file with certificate and private key."""

    file: str
    password: str | None = field(default=None, repr=False)
    sends_chain: bool = False


@dataclass(frozen=True, slots=True)
class AssertionFile:
    """A file with a token of another issuer, which somebody else renews."""

    file: str


@dataclass(frozen=True, slots=True)
class GithubToken:
    """Where a job of GitHub Actions gets its token, and what lets it."""

    url: str
    bearer: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Password:
    """A user's name and password."""

    user: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Principal:
    """An identity that signs in by itself. `source` says in words where it is described; `repr` shows no secret."""

    source: str
    tenant_id: str
    client_id: str
    proof: Secret | Certificate | AssertionFile | GithubToken | Password

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything in it that no output may hold."""
        match self.proof:
            case Secret(value) | Password(_, value) | GithubToken(_, value):
                return (value,)
            case Certificate(_, password) if password is not None:
                return (password,)
        return ()


def of_environment(access: AzureAccess, environ: Mapping[str, str]) -> Principal | None:
    """The principal of AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH or AZURE_USERNAME; None: none of them is set.

    RedlineError where one is set and what belongs to it is not.
    """
    found = _proof_in(environ)
    if found is None:
        _check_client_has_proof(environ)
        return None
    name, proof = found
    tenant_id, client_id = _ids(access, environ, name)
    source = f"{name}; signing in by password is deprecated" if isinstance(proof, Password) else name
    return Principal(source, tenant_id, client_id, proof)


def _proof_in(environ: Mapping[str, str]) -> tuple[str, Secret | Certificate | Password] | None:
    if secret := environ.get("AZURE_CLIENT_SECRET"):
        return "AZURE_CLIENT_SECRET", Secret(secret)
    if file := environ.get("AZURE_CLIENT_CERTIFICATE_PATH"):
        return "AZURE_CLIENT_CERTIFICATE_PATH", _certificate(file, environ)
    user, password = environ.get("AZURE_USERNAME"), environ.get("AZURE_PASSWORD")
    if user and password:
        return "AZURE_USERNAME", Password(user, password)
    if user or password:
        lacks = "AZURE_PASSWORD" if user else "AZURE_USERNAME"
        has = "AZURE_USERNAME" if user else "AZURE_PASSWORD"
        hint = "use AZURE_CLIENT_SECRET of a service principal; signing in by password is deprecated"
        raise half(f"{has} is set, but {lacks} is not", hint)
    return None


def _check_client_has_proof(environ: Mapping[str, str]) -> None:
    """Raises where client and tenant are named, and nothing that could prove it: neither here nor by the platform."""
    others = ("AZURE_FEDERATED_TOKEN_FILE", "ACTIONS_ID_TOKEN_REQUEST_URL", "IDENTITY_ENDPOINT", "MSI_ENDPOINT")
    named = environ.get("AZURE_CLIENT_ID") and environ.get("AZURE_TENANT_ID")
    if named and not any(environ.get(name) for name in others):
        raise half(
            "AZURE_CLIENT_ID and AZURE_TENANT_ID are set, but neither AZURE_CLIENT_SECRET"
            " nor AZURE_CLIENT_CERTIFICATE_PATH is",
            "read -rs AZURE_CLIENT_SECRET && export AZURE_CLIENT_SECRET, or --auth cli, or --auth managed-identity",
        )


def of_certificate(access: AzureAccess, environ: Mapping[str, str]) -> Principal | None:
    """The principal whose certificate_file stands under [azure]."""
    if access.certificate_file is None:
        return None
    tenant_id, client_id = _ids(access, environ, "certificate_file", toml_first=True)
    proof = _certificate(access.certificate_file, environ)
    return Principal(access.certificate_file, tenant_id, client_id, proof)


def of_azureml(environ: Mapping[str, str]) -> Principal | None:
    """The principal of AZUREML_SERVICE_PRINCIPAL_*, the variables of SDK v1."""
    names = [_AZUREML + part for part in ("TENANT_ID", "ID", "PASSWORD")]
    values = [environ.get(name) or "" for name in names]
    if not any(values):
        return None
    if lacking := [name for name, value in zip(names, values, strict=True) if not value]:
        has = next(name for name, value in zip(names, values, strict=True) if value)
        raise half(f"{has} is set, but {' and '.join(lacking)} not", f"export {lacking[0]}=...")
    tenant_id, client_id = (checked_id(values[at], names[at]) for at in (0, 1))
    return Principal(f"{_AZUREML}*", tenant_id, client_id, Secret(values[2]))


def of_workload(access: AzureAccess, environ: Mapping[str, str]) -> Principal | None:
    """The principal of a Kubernetes service account, by the token file that the cluster renews."""
    file = environ.get("AZURE_FEDERATED_TOKEN_FILE")
    if not file:
        return None
    tenant_id, client_id = _ids(access, environ, "AZURE_FEDERATED_TOKEN_FILE")
    return Principal(file, tenant_id, client_id, AssertionFile(file))


def of_github(access: AzureAccess, environ: Mapping[str, str]) -> Principal | None:
    """The principal that trusts this job of GitHub Actions."""
    url, bearer = environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"), environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if not url and not bearer:
        return None
    if not url or not bearer:
        lacks = "ACTIONS_ID_TOKEN_REQUEST_TOKEN" if url else "ACTIONS_ID_TOKEN_REQUEST_URL"
        raise half(f"{lacks} is not set in this job", "permissions: id-token: write, in the workflow")
    tenant_id, client_id = _ids(access, environ, "ACTIONS_ID_TOKEN_REQUEST_URL")
    return Principal("token of this job", tenant_id, client_id, GithubToken(url, bearer))


def of_auth_file(document: object, file: str) -> Principal:
    """The principal of the JSON that `az ad sp create-for-rbac` prints, with --json-auth or without."""
    if not isinstance(document, dict):
        raise half(f"{file} holds no JSON object", _WHOLE_FILE)
    tenant_id = _field(document, file, "tenantId", "tenant")
    client_id = _field(document, file, "clientId", "appId")
    certificate = _text(document, "clientCertificate") or _text(document, "fileWithCertAndPrivateKey")
    proof = Certificate(certificate) if certificate else Secret(_field(document, file, "clientSecret", "password"))
    tenant_id, client_id = checked_id(tenant_id, f"tenantId in {file}"), checked_id(client_id, f"clientId in {file}")
    return Principal(f"auth_file {file}", tenant_id, client_id, proof)


def access_of_auth_file(access: AzureAccess, document: object, file: str) -> AzureAccess:
    """The access with the cloud of the file's own addresses, where redline.toml names none."""
    if not isinstance(document, dict):
        return access
    authority, arm_url = (
        _address(document, file, name) for name in ("activeDirectoryEndpointUrl", "resourceManagerEndpointUrl")
    )
    if access.cloud is not None:
        return access
    return replace(access, authority=access.authority or authority, arm_url=access.arm_url or arm_url)


def _address(document: dict[str, Any], file: str, name: str) -> str | None:
    address = _text(document, name)
    if address is None:
        return None
    try:
        split = urlsplit(address)
        is_good = split.scheme == "https" and bool(split.hostname) and "@" not in split.netloc and split.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise half(f"{name} in {file} is no https address: `{harmless(address, max_chars=100)}`", _WHOLE_FILE)
    return address.rstrip("/")


def half(message: str, hint: str) -> RedlineError:
    """The error for what is described by half: nobody else is asked instead."""
    return RedlineError(f"signing in to Azure: {message}", hint, Exit.NO_ENTRY)


def checked_id(value: str, name: str) -> str:
    """The value as given, when it can be the id of a tenant or an application."""
    if not _ID.fullmatch(value):
        raise half(f"{name} is no id: `{harmless(value, max_chars=60)}`", "az account show --query tenantId")
    return value


def _ids(
    access: AzureAccess, environ: Mapping[str, str], needed_by: str, *, toml_first: bool = False
) -> tuple[str, str]:
    """Tenant and client, from the environment or redline.toml."""
    found = []
    for variable, field_name in (("AZURE_TENANT_ID", "tenant_id"), ("AZURE_CLIENT_ID", "client_id")):
        said = [environ.get(variable) or None, getattr(access, field_name)]
        value = next((value for value in (reversed(said) if toml_first else said) if value), None)
        if value is None:
            raise half(
                f"{needed_by} is set, but {variable} is not",
                f"export {variable}=..., or {field_name} under [azure] in redline.toml",
            )
        found.append(checked_id(value, variable if value == said[0] else field_name))
    return found[0], found[1]


def _certificate(file: str, environ: Mapping[str, str]) -> Certificate:
    sends_chain = (environ.get("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN") or "").lower() in ("1", "true")
    return Certificate(file, environ.get("AZURE_CLIENT_CERTIFICATE_PASSWORD") or None, sends_chain)


def _field(document: dict[str, Any], file: str, *names: str) -> str:
    value = next((text for name in names if (text := _text(document, name))), None)
    if value is None:
        raise half(f"{file} has no {' or '.join(names)}", _WHOLE_FILE)
    return value


def _text(document: dict[str, Any], name: str) -> str | None:
    value = document.get(name)
    return value.strip() or None if isinstance(value, str) else None
