"""Whether a bearer token lets in at a scoring entrance. A token that was found good is not judged anew each time."""

from __future__ import annotations

import time

from localazure.answers import Cause
from localazure.identity.roles import ML, allow
from localazure.identity.tenant import Tenant
from localazure.identity.tokens import Flaw

SCORE = f"{ML}/onlineEndpoints/score/action"
_CAUSES = {Flaw.MALFORMED: Cause.WRONG_TOKEN, Flaw.EXPIRED: Cause.EXPIRED_TOKEN, Flaw.AUDIENCE: Cause.WRONG_TOKEN}
_REMEMBERED_COUNT = 1_000


class TokenCheck:
    """Owns what it remembers: of each good token its claims and the roles that were held when it was judged."""

    def __init__(self, tenant: Tenant, audiences: frozenset[str], *, needs_role: bool) -> None:
        self._tenant = tenant
        self._audiences = audiences
        self._needs_role = needs_role
        self._good: dict[str, tuple[int, int, tuple[str, ...]]] = {}

    def __call__(self, text: str) -> Cause | None:
        """None for a token that lets in."""
        tenant = self._tenant
        known = self._good.get(text)
        if (
            known is not None
            and known[0] > time.time()
            and known[1] > tenant.tokens.revoked_count
            and known[2] is tenant.roles
        ):
            return None
        found = tenant.tokens.flaw(text, self._audiences, time.time())
        if isinstance(found, Flaw):
            self._good.pop(text, None)
            return _CAUSES[found]
        if self._needs_role and not allow(tenant.roles, SCORE):
            return Cause.NO_RIGHT
        if len(self._good) >= _REMEMBERED_COUNT:
            self._good.clear()
        self._good[text] = (found["exp"], found["uti"], tenant.roles)
        return None
