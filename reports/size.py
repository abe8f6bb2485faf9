"""How many replicas a rate needs: the queueing model and Microsoft's formula side by side."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from capacity.sizing import AZURE_TARGET_UTILISATION, sizing
from capacity.verdict import Sizing
from reports.texttable import Column, table
from scoring.endpoint import Hosting
from scoring.errors import RedlineError
from scoring.units import S, parse_duration_ns, parse_ratio, show_ms

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class SizeAnswer:
    """The sizing, and what it was asked with."""

    sizing: Sizing
    reject_ratio: float  # the share that may be rejected
    queue_places: int  # places to wait per replica
    hosting: Hosting | None


def size_answer(rps: float, service_time: str, concurrency: int, reject: str, hosting: str | None) -> SizeAnswer:
    """The answer to the words of the command line. RedlineError for a time, ratio or hosting that makes no sense."""
    if hosting is not None and hosting not in tuple(Hosting):
        raise RedlineError(f"`{hosting[:40]}` is not a hosting", f"one of: {', '.join(Hosting)}")
    kind = None if hosting is None else Hosting(hosting)
    service_s = parse_duration_ns(service_time) / S
    reject_ratio = parse_ratio(reject)
    places = concurrency if kind is Hosting.MANAGED else 0
    try:
        return SizeAnswer(sizing(rps, service_s, concurrency, reject_ratio, places), reject_ratio, places, kind)
    except ValueError as error:
        raise RedlineError(str(error), "redline size --rps 25 --service-time 120ms --reject 0.1%") from error


def size_text(answer: SizeAnswer, width: int = 80) -> str:
    """One row per method, then what each assumes."""
    one = answer.sizing
    busy = one.target_rps * one.service_s
    rows = [
        ("queueing model", str(one.replicas), _share(one.rejected_ratio), _busy(busy, one.replicas, one.concurrency)),
        (
            "Microsoft's formula",
            str(one.formula_replicas),
            _share(one.formula_rejected_ratio),
            _busy(busy, one.formula_replicas, one.concurrency),
        ),
    ]
    columns = (
        Column("method"),
        Column("replicas", right=True),
        Column("rejected", right=True),
        Column("busy", right=True),
    )
    waiting = f", {answer.queue_places} waiting" if answer.queue_places else ", none waiting"
    head = (
        f"{one.target_rps:g} requests/s of {show_ms(one.service_s * 1e3)} each, {one.concurrency} served at once per"
        f" replica{waiting}; at most {_share(answer.reject_ratio)} rejected: {one.replicas} replica"
        f"{'' if one.replicas == 1 else 's'}."
    )
    notes = (
        "The model takes arrivals as random (Poisson) and a front end that sends a request wherever there is room.\n"
        f"The formula is ceil(rate x time / {AZURE_TARGET_UTILISATION:g} / concurrency); it says nothing of rejections."
    )
    return f"{head}\n\n{table(columns, rows, width)}\n\n{notes}\n"


def size_json(answer: SizeAnswer) -> str:
    """The same as one JSON document (docs/schemas/size.schema.json)."""
    hosting = None if answer.hosting is None else str(answer.hosting)
    asked = {"reject_ratio": answer.reject_ratio, "queue_places": answer.queue_places, "hosting": hosting}
    return json.dumps({"schema": SCHEMA, **asdict(answer.sizing), **asked}, indent=1) + "\n"


def _share(ratio: float) -> str:
    return f"{100 * ratio:.3g} %" if ratio >= 1e-5 else "<0.001 %" if ratio else "0 %"


def _busy(erlangs: float, replicas: int, concurrency: int) -> str:
    """Share of all places that would be busy if nothing were rejected."""
    return f"{100 * erlangs / (replicas * concurrency):.0f} %"
