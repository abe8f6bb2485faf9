"""What is told of a local endpoint with telemetry, asked as redline asks it: by its redline.toml."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor import azure
from scoring.azure_auth import azure_credential
from scoring.endpoint import Endpoint
from scoring.settings import read_settings
from scoring.told import Told
from tests.localazure.asking import Asking

TRIES = 40


def endpoint_of(ready: dict[str, Any], **changed: Any) -> Endpoint:
    """The endpoint of the redline.toml that stands beside the ready file."""
    return replace(read_settings(ready["config"]).endpoints["local"], **changed)


def told_of(
    ready: dict[str, Any],
    ids: Sequence[str] = (),
    since_at: datetime | None = None,
    until_at: datetime | None = None,
    **changed: Any,
) -> Told:
    """Told of the last ten minutes unless another period is given."""
    endpoint, now_at = endpoint_of(ready, **changed), datetime.now(UTC)
    since_at = now_at - timedelta(minutes=10) if since_at is None else since_at
    until_at = now_at + timedelta(seconds=1) if until_at is None else until_at
    return azure.tell(endpoint, since_at, until_at, credential=azure_credential(endpoint), lookup_ids=ids)


def arrived(asking: Asking, kql: str, count: int, wake: Callable[[], object]) -> int:
    """The one number of the answer, once it is `count`, in a bounded number of tries.

    The sender of 0.4 keeps what it has until the next row comes: `wake` makes one.
    """
    found = 0
    for _ in range(TRIES):
        found = int(asking.rows(kql)[0][0])
        if found >= count:
            break
        wake()
        time.sleep(0.5)
    return found


def settled(asking: Asking, kql: str) -> int:
    """The one number of the answer once it stood still for half a second; a zero for two, as rows may come late."""
    found, stood = 0, 0
    for _ in range(4 * TRIES):
        number = int(asking.rows(kql)[0][0] or 0)
        found, stood = number, (stood + 1 if number == found else 0)
        if stood >= (10 if found else TRIES):
            break
        time.sleep(0.05)
    return found
