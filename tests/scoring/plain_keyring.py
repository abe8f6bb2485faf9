"""A keyring that keeps its passwords in memory, for as long as a block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class PlainKeyring(KeyringBackend):
    """`is_locked`: it gives nothing out."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.passwords: dict[tuple[str, str], str] = {}
        self.is_locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.is_locked:
            raise KeyringLocked("locked")
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password


@contextmanager
def kept() -> Iterator[PlainKeyring]:
    """An empty one that every reader finds until the block ends."""
    before, found = keyring.get_keyring(), PlainKeyring()
    keyring.set_keyring(found)
    try:
        yield found
    finally:
        keyring.set_keyring(before)
