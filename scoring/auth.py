"""Edge: keys that stand in the environment, a file or the keyring. Never shown, stored or passed as an argument."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scoring.endpoint import Endpoint
from scoring.errors import Exit, RedlineError

_MAX_KEY_BYTES = 65_536
_ALONE = "put the key there, alone, without quotes or `Bearer`"


def read_key(endpoint: Endpoint, environ: Mapping[str, str]) -> str | None:
    """The key in `key_env` or `key_file`; None where no credential is wanted. RedlineError (exit 4) if it is missing.

    A credential from anywhere else is `scoring.granting`'s.
    """
    if endpoint.key_env is not None:
        return key_in_variable(endpoint.key_env, environ, endpoint.name)
    if endpoint.key_file is not None:
        return key_in_file(endpoint.key_file, endpoint.name)
    if endpoint.auth == "none":
        return None
    raise no_source(endpoint)


def key_in_variable(variable: str, environ: Mapping[str, str], name: str) -> str:
    """The key that the environment variable holds, for the endpoint of this name."""
    raw = environ.get(variable)
    if raw is None:
        message = f"`{name}`: environment variable {variable} is not set"
        raise RedlineError(message, f"read -rs {variable} && export {variable}", Exit.NO_ENTRY)
    return checked_key(raw, f"environment variable {variable}", name)


def key_in_file(path: str, name: str) -> str:
    """The key that stands alone in the file, for the endpoint of this name."""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(_MAX_KEY_BYTES).decode()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"`{name}`: the key file {path} cannot be read: {reason}"
        raise RedlineError(message, f"ls -l {path}", Exit.NO_ENTRY) from error
    except UnicodeDecodeError:
        message = f"`{name}`: the key file {path} holds bytes that are no text"
        raise RedlineError(message, "write the key alone into the file", Exit.NO_ENTRY) from None
    return checked_key(raw, f"file {path}", name)


def key_in_keyring(place: str, name: str) -> str:
    """The password that the operating system's keyring keeps at SERVICE/USER, for the endpoint of this name."""
    service, slash, user = place.rpartition("/")
    if not slash or not service or not user:
        message = f"`{name}`: key_keyring is `{place}`, which is not SERVICE/USER"
        raise RedlineError(message, f'key_keyring = "redline/{name}"; keyring set redline {name}', Exit.NO_ENTRY)
    try:
        import keyring
        from keyring.errors import InitError, KeyringError, NoKeyringError
    except ModuleNotFoundError as error:
        message = f"`{name}`: key_keyring needs the Python package keyring, which is not installed"
        raise RedlineError(message, "pip install keyring", Exit.NO_ENTRY) from error
    try:
        raw = keyring.get_password(service, user)
    except (KeyringError, InitError) as error:
        missing = isinstance(error, NoKeyringError | InitError)
        why = "this machine has no keyring" if missing else f"the keyring gives nothing out: {type(error).__name__}"
        hint = "key_env or key_file where nobody is logged in" if missing else "unlock the keyring, and try again"
        raise RedlineError(f"`{name}`: {why}", hint, Exit.NO_ENTRY) from error
    if raw is None:
        message = f"`{name}`: the keyring has no password of {user} for {service}"
        raise RedlineError(message, f"keyring set {service} {user}", Exit.NO_ENTRY)
    return checked_key(raw, f"keyring {place}", name)


def checked_key(raw: str, source: str, name: str) -> str:
    """The key without the line break at its end, when it can stand in a header; the value is in no message."""
    key = raw.strip("\r\n")
    if not key:
        raise RedlineError(f"`{name}`: {source} is empty", "put the key there, alone", Exit.NO_ENTRY)
    if not all("!" <= char <= "~" for char in key):
        message = f"`{name}`: {source} holds a space, a line break or a character that no key has"
        raise RedlineError(message, _ALONE, Exit.NO_ENTRY)
    return key


def no_source(endpoint: Endpoint) -> RedlineError:
    """The error for an endpoint that wants a credential and does not say where it is."""
    message = (
        f'`{endpoint.name}` wants auth = "{endpoint.auth}", but no key_env or key_file says where the credential is,'
        " and no arm_id who gives it"
    )
    hint = "set the variable and name it: --key-env SCORING_KEY, or key_env or arm_id in redline.toml"
    return RedlineError(message, hint, Exit.NO_ENTRY)
