"""Edge: a credential for Azure's own APIs (logs, metrics), through azure-identity. Never shown, stored or passed on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoring.endpoint import Endpoint
from scoring.errors import Exit, RedlineError

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

_MAX_TOKEN_BYTES = 65_536
_LIFE_S = 300


def azure_credential(endpoint: Endpoint) -> TokenCredential:
    """The token in `azure_token_file` where one is named, else azure-identity's default chain without a browser.

    Raises RedlineError (exit 4) for a file that cannot be read. The chain itself is tried at the first request.
    """
    if endpoint.azure_token_file is not None:
        return _FileToken(endpoint.azure_token_file, endpoint.name)
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential(exclude_interactive_browser_credential=True)


class _FileToken:
    """The token that stands in a file, read anew each time it is asked for: whoever renews it writes it there."""

    def __init__(self, path: str, name: str) -> None:
        self._path = Path(path)
        self._name = name
        self._token()

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        from azure.core.credentials import AccessToken

        return AccessToken(self._token(), int(time.time()) + _LIFE_S)

    def _token(self) -> str:
        hint = "az account get-access-token --resource https://api.loganalytics.io --query accessToken -o tsv"
        try:
            with self._path.open("rb") as file:
                token = file.read(_MAX_TOKEN_BYTES).decode("ascii").strip()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            message = f"`{self._name}`: the token file {self._path} cannot be read: {reason}"
            raise RedlineError(message, hint, Exit.NO_ENTRY) from error
        except UnicodeDecodeError:
            token = ""
        if not token or not all("!" <= char <= "~" for char in token):
            raise RedlineError(f"`{self._name}`: the token file {self._path} holds no token", hint, Exit.NO_ENTRY)
        return token
