"""Edge: the key of an endpoint, from the environment or a file. It is never shown, stored or passed as an argument."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scoring.endpoint import Endpoint
from scoring.errors import Exit, RedlineError

_MAX_KEY_BYTES = 65_536


def read_key(endpoint: Endpoint, environ: Mapping[str, str]) -> str | None:
    """The credential for `Authorization: Bearer …`; None where none is taken. RedlineError (exit 4) if missing."""
    if endpoint.key_vault is not None:
        raise RedlineError(
            f"`{endpoint.name}`: key_vault is not read by this version",
            'export the secret to a variable and name it: key_env = "SCORING_KEY"',
            Exit.NO_ENTRY,
        )
    if endpoint.key_env is not None:
        return _checked(environ.get(endpoint.key_env), f"environment variable {endpoint.key_env}", endpoint)
    if endpoint.key_file is not None:
        return _checked(_file_text(endpoint.key_file, endpoint), f"file {endpoint.key_file}", endpoint)
    if endpoint.auth == "none":
        return None
    raise RedlineError(
        f'`{endpoint.name}` wants auth = "{endpoint.auth}", but no key_env or key_file says where the credential is',
        "set the variable and name it: --key-env SCORING_KEY, or key_env in redline.toml",
        Exit.NO_ENTRY,
    )


def _file_text(path: str, endpoint: Endpoint) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(_MAX_KEY_BYTES).decode()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"`{endpoint.name}`: the key file {path} cannot be read: {reason}"
        raise RedlineError(message, f"ls -l {path}", Exit.NO_ENTRY) from error
    except UnicodeDecodeError:
        message = f"`{endpoint.name}`: the key file {path} holds bytes that are no text"
        raise RedlineError(message, "write the key alone into the file", Exit.NO_ENTRY) from None


def _checked(raw: str | None, source: str, endpoint: Endpoint) -> str:
    if raw is None:
        raise RedlineError(
            f"`{endpoint.name}`: {source} is not set",
            f"read -rs {endpoint.key_env} && export {endpoint.key_env}",
            Exit.NO_ENTRY,
        )
    key = raw.strip("\r\n")
    if not key:
        raise RedlineError(f"`{endpoint.name}`: {source} is empty", "put the key there, alone", Exit.NO_ENTRY)
    if not all("!" <= char <= "~" for char in key):
        raise RedlineError(
            f"`{endpoint.name}`: {source} holds a space, a line break or a character that no key has",
            "put the key there, alone, without quotes or `Bearer`",
            Exit.NO_ENTRY,
        )
    return key
