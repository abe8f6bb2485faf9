"""Edge, for a replay reads its file: what `redline load` is asked to send, as fields of a plan."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capacity.plan import DEFAULT_MAX_RPS, SPACINGS
from scoring.errors import RedlineError
from scoring.text import harmless
from scoring.units import S, parse_rate_rps

if TYPE_CHECKING:
    from capacity.arrivals import Instants

SECONDS_IN_FLIGHT = 10.0
LEAST_POOL, MOST_POOL = 16, 1000
"""Without --max-users there are connections for SECONDS_IN_FLIGHT of the highest rate, within these bounds."""
DEFAULT_S = 30.0
LEAST_RPS = 1.0
"""An open search begins here."""
MOST_RPS = 100_000.0
_RAMP = re.compile(r"\s*(?P<first>.+?)\s*\.\.\s*(?P<last>.+?)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Shape:
    """How much is sent, as a person said it. None: not said."""

    users: int | None = None
    rps: str | None = None  # "50", "90/min", "10..200"
    arrivals: str | None = None
    replay: Path | None = None
    speed: float | None = None
    max_users: int | None = None
    duration_s: float | None = None

    @property
    def is_open(self) -> bool:
        """Requests are due at a rate, whatever the answers do."""
        return self.rps is not None or self.replay is not None


@dataclass(frozen=True, slots=True)
class Rates:
    """How a search sends, as a person said it: users, or with `is_open` a rate. None: not said."""

    is_open: bool = False
    max_rps: str | None = None
    arrivals: str | None = None


CLOSED = Rates()


def rates_fields(rates: Rates) -> dict[str, Any]:
    """The fields of a search's plan that an open loop has. RedlineError where they are given without it."""
    said = (("--max-rps", rates.max_rps), ("--arrivals", rates.arrivals))
    alone = [option for option, value in said if value is not None and not rates.is_open]
    if alone:
        raise RedlineError(f"{alone[0]} belongs to an open loop", f"--open {alone[0]} …, or leave it out")
    if not rates.is_open:
        return {}
    max_rps = DEFAULT_MAX_RPS if rates.max_rps is None else _rate(rates.max_rps, option="--max-rps")
    if max_rps < LEAST_RPS:
        raise RedlineError(
            f"--max-rps {max_rps:g} leaves nothing to search", f"--max-rps {DEFAULT_MAX_RPS:g}, at least {LEAST_RPS:g}"
        )
    return {"is_open": True, "max_rps": max_rps, "spacing": _spacing(rates.arrivals)}


def load_fields(shape: Shape) -> dict[str, Any]:
    """The fields of a plan that say how much is sent, and for how long. RedlineError where the wishes do not agree."""
    _refuse_contradictions(shape)
    if not shape.is_open:
        users = shape.users or 1
        return {"users": users, "max_users": users, **_for(shape.duration_s or DEFAULT_S)}
    fields: dict[str, Any] = {"is_open": True, "spacing": _spacing(shape.arrivals)}
    if shape.replay is not None:
        return fields | _replay_fields(shape, shape.replay)
    first_rps, last_rps = rates_of(shape.rps or "")
    highest_rps = max(first_rps, first_rps if last_rps is None else last_rps)
    pool = {"max_users": shape.max_users or pool_for(highest_rps)}
    return fields | {"rps": first_rps, "last_rps": last_rps} | pool | _for(shape.duration_s or DEFAULT_S)


def pool_for(rps: float) -> int:
    """Connections for a rate.

    >>> pool_for(0.5), pool_for(50), pool_for(1000)
    (16, 500, 1000)
    """
    return min(max(math.ceil(rps * SECONDS_IN_FLIGHT), LEAST_POOL), MOST_POOL)


def rates_of(text: str) -> tuple[float, float | None]:
    """Requests per second, and those that they rise or fall to.

    >>> rates_of("50"), rates_of("90/min"), rates_of("10..200rps")
    ((50.0, None), (1.5, None), (10.0, 200.0))
    """
    ramp = _RAMP.fullmatch(text)
    if ramp is None:
        return _rate(text), None
    first_rps, last_rps = _rate(ramp["first"], may_be_0=True), _rate(ramp["last"], may_be_0=True)
    if max(first_rps, last_rps) == 0:
        raise RedlineError(f"--rps `{harmless(text, max_chars=50)}` sends nothing", "--rps 50, or --rps 10..200")
    return first_rps, None if first_rps == last_rps else last_rps


def _rate(text: str, *, may_be_0: bool = False, option: str = "--rps") -> float:
    try:
        rps = float(text)
    except ValueError:
        rps = parse_rate_rps(text)
    if not math.isfinite(rps) or rps < 0 or rps > MOST_RPS or (rps == 0 and not may_be_0):
        shown = harmless(text, max_chars=50)
        hint = "--max-rps 500" if option == "--max-rps" else "--rps 50, or --rps 10..200"
        raise RedlineError(f"{option} `{shown}` is no rate up to {MOST_RPS:,.0f} a second", hint)
    return rps


def _spacing(arrivals: str | None) -> str:
    spacing = arrivals or SPACINGS[0]
    if spacing not in SPACINGS:
        shown = harmless(spacing, max_chars=50)
        raise RedlineError(f"--arrivals `{shown}` is not known", f"one of {', '.join(SPACINGS)}")
    return spacing


def _replay_fields(shape: Shape, file: Path) -> dict[str, Any]:
    """The record is read here already, so that a mistake in it is told before anything is sent."""
    from capacity.replay import read_instants

    instants, speed = read_instants(file), shape.speed or 1.0
    span_s = float(instants[-1] - instants[0]) / S / speed
    duration_s = shape.duration_s or max(span_s, 1e-3) + 1e-3
    pool = shape.max_users or pool_for(_busiest_rps(instants) * speed)
    return {"replay": str(file.expanduser().absolute()), "speed": speed, "max_users": pool} | _for(duration_s)


def _busiest_rps(instants: Instants) -> int:
    """The most requests of any second that begins with one."""
    import numpy as np

    return int((np.searchsorted(instants, instants + S) - np.arange(len(instants))).max())


def _refuse_contradictions(shape: Shape) -> None:
    said = [
        ("--users", shape.users is not None),
        ("--rps", shape.rps is not None),
        ("--replay", shape.replay is not None),
    ]
    ways = [name for name, is_said in said if is_said]
    if len(ways) > 1:
        raise RedlineError(
            f"{' and '.join(ways)} were given", "one of them: --users 8 in flight, --rps 50, or --replay FILE"
        )
    if not shape.is_open and (shape.arrivals is not None or shape.max_users is not None):
        name = "--arrivals" if shape.arrivals is not None else "--max-users"
        raise RedlineError(f"{name} is of an open loop, and no rate was given", "add --rps 50, or use --users 8")
    if shape.replay is None and shape.speed is not None:
        raise RedlineError("--speed is of a replay, and none was given", "--replay FILE --speed 2")
    if shape.replay is not None and shape.arrivals is not None:
        raise RedlineError("--arrivals was given beside --replay", "a replay keeps the recorded distances")
    if shape.speed is not None and not (math.isfinite(shape.speed) and shape.speed > 0):
        raise RedlineError(f"--speed {shape.speed} is not above 0", "--speed 2 for twice as fast")


def _for(duration_s: float) -> dict[str, float]:
    return {"duration_s": duration_s, "budget_s": duration_s}
