"""Reports in which every text that comes from outside is, or has in front, whatever a test likes."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from capacity.verdict import Recommended
from reports.limit import FailureSample, LimitReport
from scoring.endpoint import Endpoint
from scoring.told import Diagnosis, Finding, Told
from tests.reports import error_samples, samples


def hostile_limit(mark: str) -> LimitReport:
    """A report whose every foreign text is `mark`."""
    verdict = samples.cliff_verdict()
    marked = replace(
        verdict,
        reason=mark,
        binding_goal=mark,
        limits=(replace(verdict.limits[0], goal=mark), verdict.limits[1]),
        levels=tuple(replace(one, status_count={**one.status_count, mark: 0}) for one in verdict.levels),
        client=replace(samples.FAIR, valid=False, reasons=(mark,)),
        trials=tuple(replace(one, purpose=mark, why=mark, outcome=mark) for one in verdict.trials),
        first_seen={**verdict.first_seen, mark: 9},
    )
    return LimitReport(
        verdict=marked,
        endpoint=replace(samples.ENDPOINT, name=mark, goals=(mark,), need=mark),
        decision=mark,
        decision_sentence=mark,
        recommended=Recommended(
            safe_users=6, safe_rps=294.1, settings={mark: mark}, paste={mark: f"{mark}\n{mark}"}, why=(mark,)
        ),
        run=mark,
        run_facts=samples.facts(
            command=mark, goals=(mark,), versions={mark: mark}, configuration_hash=mark, started_at=mark
        ),
        failures=(FailureSample(mark, 9, mark, mark), FailureSample("503", 9, mark, mark)),
        causes=(Finding(mark, mark, "low", 9, (mark,), (mark,), (mark,), mark, missing=(mark,)),),
    )


def hostile_errors(mark: str) -> tuple[Told, Diagnosis]:
    """The managed, log-only and metric samples together, with `mark` in every text that comes from outside."""
    told, diagnosis = error_samples.managed()
    log, other = error_samples.log_only()
    aks, _ = error_samples.aks_metrics()
    events = tuple(replace(event, where="w", instance="i") for event in (*told.events, *log.events))
    whole = replace(
        told,
        events=events,
        leaks=log.leaks,
        templates=log.templates,
        metrics=aks.metrics,
        accounts=(*told.accounts, *log.accounts),
        client=replace(told.client, reasons=("r",), is_fair=False) if told.client else None,
    )
    concluded = replace(
        diagnosis,
        findings=(*diagnosis.findings, *other.findings),
        groups=(*diagnosis.groups, *other.groups),
    )
    found: tuple[Told, Diagnosis] = (_marked(whole, mark), _marked(concluded, mark))
    return found


def _marked(value: Any, mark: str) -> Any:
    """The value with `mark` behind every text at any depth; what must stay valid stays."""
    if isinstance(value, Enum):
        return value
    if isinstance(value, Endpoint):
        return replace(value, name=f"{mark}{value.name}")
    if isinstance(value, str):
        return f"{mark}{value}"
    if isinstance(value, tuple):
        return tuple(_marked(one, mark) for one in value)
    if isinstance(value, dict):
        return {_marked(key, mark): _marked(one, mark) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        kept = {"exact_ms"}
        named = {one.name: getattr(value, one.name) for one in fields(value)}
        return type(value)(**{name: one if name in kept else _marked(one, mark) for name, one in named.items()})
    return value
