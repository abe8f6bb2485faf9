"""`redline report minutes`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from commands import options
from commands.gathering import since_instant
from commands.output import say, screen
from scoring.errors import Exit

MINUTES_EXAMPLE = "Example: redline report minutes service.log --since 2h"


def report_minutes(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Service logs; - for standard input.")],
    since: Annotated[str | None, typer.Option(metavar="TIME", help="How far back, 2h, or from when.")] = None,
    json: options.Json = False,
) -> int:
    """Tell of service logs, minute by minute, how many requests had which status and how long they took."""
    from monitor.servicelogs import per_minute
    from reports.minutes import minute_json, minutes_text

    found = per_minute(files, since_at=since_instant(since, datetime.now(UTC)))
    _, color = screen()
    say("".join(minute_json(one) + "\n" for one in found) if json else minutes_text(found, color=color) + "\n")
    return Exit.FINE
