"""The addresses of one endpoint: each asks for another credential, all share one front end and one capacity.

On Azure each would be an endpoint of its own. The first is called as the endpoint, the others after what they ask for.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from localazure.answers import Cause
from localazure.options import Options

KINDS = ("Primary", "Secondary")
_OTHERS = {
    "managed": ("token", "entra"),
    "kubernetes": ("token",),
    "aks": ("token", "none"),
    "aci": ("key", "none"),
    "local": (),
}
_SUFFIXES = {"none": "open"}


class Keys:
    """Owns the two keys of an endpoint. Both are good; making one anew leaves the other as it is."""

    def __init__(self, primary: str | None = None) -> None:
        self.of = {"Primary": primary or drawn(), "Secondary": drawn()}
        self._taken = tuple(key.encode() for key in self.of.values())

    def regenerate(self, kind: str, value: str | None = None) -> None:
        """From now on the old key of this kind is refused."""
        self.of[kind] = value or drawn()
        self._taken = tuple(key.encode() for key in self.of.values())

    def hold(self, key: str) -> bool:
        given = key.encode("latin-1")
        first, second = self._taken
        return hmac.compare_digest(given, first) or hmac.compare_digest(given, second)


def drawn() -> str:
    return secrets.token_urlsafe(24)


@dataclass(slots=True, eq=False)
class Entrance:
    """`auth` is none, key, token or entra. `check` judges a token: None lets it in."""

    name: str  # in redline.toml: `local`, `local-token` …
    azure_name: str  # in Azure's ids and paths: the same unless --name says otherwise
    auth: str
    path: str
    keys: Keys | None = None
    check: Callable[[str], Cause | None] | None = None
    port: int = 0

    @property
    def scoring_uri(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def refusal(self, authorization: str) -> Cause | None:
        """Why the Authorization header does not let in; None when it does, or when none is asked for."""
        if self.auth == "none":
            return None
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            return Cause.NO_KEY if self.keys is not None else Cause.NO_TOKEN
        if self.keys is not None:
            return None if self.keys.hold(secret) else Cause.WRONG_KEY
        return Cause.WRONG_TOKEN if self.check is None else self.check(secret)


def main_entrance(options: Options, key: str | None) -> Entrance:
    """The one that every endpoint has: with a key, or open."""
    auth, keys = ("none", None) if key is None else ("key", Keys(key))
    return Entrance("local", options.name, auth, options.scoring_path, keys)


def other_entrances(options: Options, main: Entrance) -> list[Entrance]:
    """Those of the ways to be let in that the hosting has besides the main one, for endpoints whose tokens we issue."""
    found = []
    for auth in _OTHERS[options.hosting]:
        if auth != main.auth:
            suffix = _SUFFIXES.get(auth, auth)
            azure_name = f"{options.name}-{suffix}"
            keys = Keys() if auth == "key" else None
            found.append(Entrance(f"local-{suffix}", azure_name, auth, options.path_of(azure_name), keys))
    return found
