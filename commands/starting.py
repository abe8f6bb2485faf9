"""`redline init`: a first redline.toml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from commands.options import Json, KeyEnv, KeyFile, Payload, Url
from commands.output import complain, say, talk
from scoring.access import AZURE_AUTH_KINDS, AzureAccess
from scoring.errors import Exit, RedlineError

INIT_EXAMPLE = "Example: redline init --from-config config.json --endpoint churn-prod --out redline.toml"

_FromConfig = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="config.json of the workspace, or a folder to look from.  [default: .]"),
]
_FromYaml = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="YAML of the endpoint or of a deployment; may be repeated."),
]
_EndpointName = Annotated[str | None, typer.Option("--endpoint", metavar="NAME", help="Its name in the workspace.")]
_Name = Annotated[str | None, typer.Option(metavar="NAME", help="What to call it here.  [default: as there]")]
_Subscription = Annotated[str | None, typer.Option(metavar="ID", help="Subscription, instead of a config.json.")]
_Group = Annotated[str | None, typer.Option(metavar="NAME", help="Resource group, instead of a config.json.")]
_Workspace = Annotated[str | None, typer.Option(metavar="NAME", help="Workspace, instead of a config.json.")]
_Deployment = Annotated[str | None, typer.Option(metavar="NAME", help="Measure this deployment, whatever the traffic.")]
_Out = Annotated[
    Path, typer.Option(metavar="FILE", help="Where to write; an endpoint is added to a file that is there.")
]
_Auth = Annotated[str, typer.Option(metavar="KIND", help=f"Who signs in to Azure: {', '.join(AZURE_AUTH_KINDS)}.")]
_AuthFile = Annotated[Path | None, typer.Option(metavar="FILE", help="JSON of az ad sp create-for-rbac --json-auth.")]
_CaFile = Annotated[Path | None, typer.Option(metavar="FILE", help="PEM of the authority that Azure's APIs here have.")]
_Verify = Annotated[bool, typer.Option("--verify/--no-verify", help="Send one scoring request by what was written.")]
_Force = Annotated[bool, typer.Option("--force", help="Write an endpoint anew that is in the file already.")]


def init(
    from_config: _FromConfig = None,
    endpoint: _EndpointName = None,
    from_yaml: _FromYaml = None,
    url: Url = None,
    out: _Out = Path("redline.toml"),
    name: _Name = None,
    subscription: _Subscription = None,
    resource_group: _Group = None,
    workspace: _Workspace = None,
    deployment: _Deployment = None,
    payload: Payload = None,
    key_env: KeyEnv = None,
    key_file: KeyFile = None,
    auth: _Auth = "auto",
    auth_file: _AuthFile = None,
    ca_file: _CaFile = None,
    verify: _Verify = True,
    force: _Force = False,
    json: Json = False,
) -> int:
    """Write redline.toml from what Azure says of an endpoint, and send it one request."""
    from scoring.azure_auth import can_ask
    from scoring.starting.start import Asked, started
    from scoring.starting.started import complaint, started_json, started_text

    asked = Asked(
        out=out,
        endpoint=endpoint,
        name=name,
        from_config=from_config,
        workspace=(subscription, resource_group, workspace),
        from_yaml=tuple(from_yaml or ()),
        url=url,
        deployment=deployment,
        payload=payload,
        key_env=key_env,
        key_file=None if key_file is None else _absolute(Path(key_file)),
        access=_access(auth, auth_file, ca_file),
        force=force,
        verify=verify,
        may_ask=can_ask(os.environ),
    )
    told = started(asked, os.environ, talk, _choose)
    say(started_json(told) if json else started_text(told))
    wrong = complaint(told)
    if wrong is None:
        return Exit.FINE
    complain(wrong)
    return wrong.exit_code


def _access(auth: str, auth_file: Path | None, ca_file: Path | None) -> AzureAccess:
    if auth not in AZURE_AUTH_KINDS:
        raise RedlineError(f"--auth {auth} is unknown", f"one of {', '.join(AZURE_AUTH_KINDS)}")
    return AzureAccess(auth=auth, auth_file=_absolute(auth_file), ca_file=_absolute(ca_file))


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.expanduser().resolve())


def _choose(names: list[str]) -> str | None:
    """The name that a person types on a terminal; None where nobody is there, or none of them is typed."""
    from scoring.azure_auth import can_ask

    if not can_ask(os.environ):
        return None
    talk("Which endpoint?\n" + "\n".join(f"  {number}  {name}" for number, name in enumerate(names, 1)))
    typed = typer.prompt("Name or number", err=True).strip()
    if typed.isdecimal() and 1 <= int(typed) <= len(names):
        return names[int(typed) - 1]
    return typed if typed in names else None
