"""Edge: a credential for Azure's own APIs, through azure-identity. Never shown, stored or passed on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from scoring.access import AzureAccess
from scoring.endpoint import Endpoint
from scoring.identity.surroundings import watching_nobody

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from scoring.controlplane.clouds import Cloud
    from scoring.identity.signin import SignedIn


def arm_scope(cloud: Cloud) -> str:
    """The scope of Azure Resource Manager."""
    return cloud.arm_scope


def tell(text: str) -> None:
    """One line for the person, on stderr: a code to type in stands there."""
    if sys.stderr is not None:
        print(text, file=sys.stderr, flush=True)


def signed_in(
    access: AzureAccess,
    *,
    environ: Mapping[str, str],
    may_ask: bool,
    say: Callable[[str], None] = tell,
    scope_of: Callable[[Cloud], str] = arm_scope,
) -> SignedIn:
    """The credential that gives a token for a scope of its cloud (ARM's where none is named), and which one it is.

    RedlineError (exit 4) where none does. A person is asked only where `may_ask`, and never in CI.
    """
    from scoring.identity import signin

    return signin.signed_in(access, environ=environ, may_ask=may_ask, say=say, scope_of=scope_of)


def azure_credential(endpoint: Endpoint, *, say: Callable[[str], None] = tell, may_ask: bool = True) -> TokenCredential:
    """The token in `azure_token_file` where one is named, else whoever [azure] says, or the first that serves.

    It gives tokens for the logs, and `say` is told who it is. A person at a terminal is asked only where `may_ask`.
    Raises RedlineError (exit 4) where nobody can sign in.
    """
    if endpoint.azure_token_file is not None:
        from scoring.identity.credentials import FileToken

        return FileToken(endpoint.azure_token_file, f"`{endpoint.name}`")
    found = signed_in(
        endpoint.azure,
        environ=os.environ,
        may_ask=may_ask and can_ask(os.environ),
        say=say,
        scope_of=lambda cloud: cloud.logs_scope,
    )
    say(f"signed in to Azure as {found.used}")
    return found.credential


def can_ask(environ: Mapping[str, str]) -> bool:
    """Whether a person sits at a terminal here, who can be asked to sign in."""
    if watching_nobody(environ) is not None or sys.stdin is None or sys.stderr is None:
        return False
    return sys.stdin.isatty() and sys.stderr.isatty()
