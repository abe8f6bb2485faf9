"""Checks for GitHub Actions: the step summary in Markdown, and one annotation for every endpoint that is not OK."""

from __future__ import annotations

from collections.abc import Sequence

from reports.clean import harmless_copy
from reports.health_text import headline
from reports.markdown import MAX_BYTES, cut, escaped
from scoring.health import EndpointHealth, Health
from scoring.units import show_ms

_LEVELS = {Health.FAILED: "error", Health.DEGRADED: "warning", Health.UNKNOWN: "warning"}


def check_summary(found: Sequence[EndpointHealth], *, max_bytes: int = MAX_BYTES) -> str:
    """A headline, a table of the endpoints and what to do, in Markdown that holds no foreign markup."""
    clean = harmless_copy(list(found))
    lines = [f"### redline check: {escaped(headline(clean))}", "", "| endpoint | state | reason | latency |"]
    lines.append("|---|---|---|---:|")
    for one in clean:
        latency = show_ms(None if one.latency_ns is None else one.latency_ns / 1e6)
        lines.append(f"| {escaped(one.name)} | {one.state.value} | {escaped(one.reason)} | {latency} |")
    lines += ["", *(line for one in clean for line in _remarks(one))]
    return cut("\n".join(lines).rstrip("\n") + "\n", max_bytes)


def check_annotations(found: Sequence[EndpointHealth]) -> list[str]:
    """Workflow commands, one line each; foreign text in them can start no other command."""
    clean = harmless_copy(list(found))
    return [_annotation(one) for one in clean if one.state is not Health.OK]


def _remarks(one: EndpointHealth) -> list[str]:
    lines = []
    for check in one.checks:
        if check.outcome is not Health.OK:
            step = f" Next: {escaped(check.next_step)}" if check.next_step and check is one.deciding else ""
            lines.append(f"- **{escaped(one.name)}** {escaped(check.id)}: {escaped(check.evidence)}{step}")
    return lines


def _annotation(one: EndpointHealth) -> str:
    check = one.deciding
    evidence = one.reason if check is None else f"{check.reason}: {check.evidence}"
    return f"::{_LEVELS[one.state]} title={_property(f'{one.name} is {one.state.value}')}::{_data(evidence)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
