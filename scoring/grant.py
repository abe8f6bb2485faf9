"""What a scoring request says to be let in, and for how long it holds."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Grant:
    """One credential for `Authorization: Bearer …`. `repr` shows no secret. Instants are seconds since 1970, UTC.

    `source` says in words where it came from: "listKeys (primary)", "environment variable SCORING_KEY".
    """

    secret: str = field(repr=False)
    source: str
    renew_from_s: float | None = None  # from then on a newer one may be had; None: it does not age
    expires_s: float | None = None  # refused from then on; None: unknown or never
    spare: str | None = field(default=None, repr=False)  # the secondary key: tried when this one is refused

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything in it that no output may hold."""
        return (self.secret,) if self.spare is None else (self.secret, self.spare)
