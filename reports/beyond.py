"""The wall, what happened beyond the limit, how throughput scales and the cold start, in words and rows of values."""

from __future__ import annotations

from dataclasses import dataclass

from capacity.overload import Behaviour, Beyond, PhaseKind, Shown
from capacity.scaling import Scaling
from capacity.unit import Unit
from capacity.wall import WallKind
from reports.limit import LimitReport
from reports.words import sentence_case
from scoring.units import rate_number, show_count, show_ms, show_seconds

NAMES = {
    WallKind.SERVER_CONCURRENCY: "the number of requests that the server takes at once",
    WallKind.CPU: "the server's processors",
    WallKind.QUEUE: "the queue before the server",
    WallKind.QUOTA: "a quota",
    WallKind.AUTOSCALER: "the autoscaler, which adds replicas only after the load",
    WallKind.TIMEOUT: "a time-out",
    WallKind.CLIENT: "the load generator",
    WallKind.NETWORK: "the network",
    WallKind.NOT_REACHED: "none was reached",
    WallKind.UNKNOWN: "not known",
}
MEANINGS = {
    Behaviour.GRACEFUL: "it goes on serving what it can, and is good again at once",
    Behaviour.DEGRADED: "it serves less than it can, or takes its time to be good again",
    Behaviour.COLLAPSE: "it serves less than half of what it can",
    Behaviour.METASTABLE: "it stays bad at a load that it carried before",
}
PHASE_COLUMNS = ("phase", "load", "of limit", "held", "kept", "rejected", "within", "timed out", "good after")


@dataclass(frozen=True, slots=True)
class WallWords:
    """The wall as a heading, and the sentences below it, each under its word."""

    title: str
    rows: tuple[tuple[str, str], ...]


def wall_words(report: LimitReport) -> WallWords | None:
    """What set the limit, what speaks for it and against it, and what to do; None where nothing was measured."""
    wall = report.wall
    if wall is None or not report.verdict.levels:
        return None
    sure = "" if wall.kind is WallKind.UNKNOWN else f" (confidence {wall.confidence})"
    rows = [*(("for", said) for said in wall.evidence), *(("against", said) for said in wall.counter_evidence)]
    return WallWords(f"What set the limit: {NAMES[wall.kind]}{sure}", (*rows, ("next", wall.next_step)))


def beyond_title(beyond: Beyond) -> str:
    """How the endpoint took more than it can carry."""
    if beyond.behaviour is not None:
        return f"Beyond the limit: {beyond.behaviour}, {MEANINGS[beyond.behaviour]}"
    return "Beyond the limit: not looked at" if not beyond.phases else "Beyond the limit: not told"


def beyond_remarks(beyond: Beyond) -> tuple[str, ...]:
    """What is to be known beside the phases."""
    unit = Unit(beyond.per_second)
    said = list(beyond.evidence)
    if beyond.behaviour is Behaviour.METASTABLE:
        hidden = beyond.hidden_level
        said.append(
            "hidden capacity: none was seen"
            if hidden is None
            else f"hidden capacity: {unit.words(hidden)}; once it has been overloaded, only that brings it back"
        )
    said += [*_burst_words(beyond, unit), *beyond.left_out]
    if beyond.phases:
        said.append(
            f"{show_count(beyond.rejected_count)} rejections were caused, of {show_count(beyond.harm_budget)} allowed"
        )
    return tuple(sentence_case(one) for one in said)


def _burst_words(beyond: Beyond, unit: Unit) -> list[str]:
    bursts, quiet = beyond.of(PhaseKind.BURST), beyond.of(PhaseKind.QUIET)
    if not bursts:
        return []
    good = [one for one in bursts if one.good_after_s is not None]
    start = f"bursts from {unit.words(quiet[0].level)}"
    if not good:
        return [f"{start}: none was carried while it lasted"]
    last = good[-1]
    after_s = last.good_after_s
    after = "at once" if not after_s else f"after {after_s:.1f} s"
    return [f"{start}: one to {unit.words(last.level)} was carried {after}"]


def phase_rows(beyond: Beyond) -> tuple[tuple[str, ...], ...]:
    """One row per phase, under PHASE_COLUMNS."""
    return tuple(_phase_row(one, Unit(beyond.per_second)) for one in beyond.phases)


def _phase_row(one: Shown, unit: Unit) -> tuple[str, ...]:
    kept = "–" if one.goodput_ratio is None or one.of_limit_ratio <= 1 else f"{100 * one.goodput_ratio:.0f} %"
    return (
        str(one.phase),
        unit.words(one.level),
        f"{one.of_limit_ratio:.2g}×",
        show_seconds(one.seconds),
        kept,
        show_count(one.rejected_count),
        show_ms(one.rejection_p99_ms),
        show_count(one.timed_out_count),
        _good_words(one.good_after_s),
    )


def _good_words(after_s: float | None) -> str:
    return "never" if after_s is None else "at once" if after_s == 0 else show_seconds(after_s)


def growth_words(report: LimitReport) -> tuple[str, ...]:
    """How throughput scales, and the cold start; nothing where no level was measured."""
    if not report.verdict.levels:
        return ()
    return tuple(text for text in (_scaling_words(report.scaling), _cold_words(report)) if text is not None)


def _scaling_words(scaling: Scaling | None) -> str | None:
    """The law in one sentence, or why there is none."""
    if scaling is None:
        return None
    law = scaling.law
    if law is None:
        return f"No scalability law was fitted: {scaling.why_not}."
    most = max(users for users, _ in scaling.points)
    start = f"Through {len(scaling.points)} levels: {rate_number(law.lambda_)} requests/s for one user, "
    start += f"{_share(law.sigma)} of the work one at a time (sigma), {_pairs(law.kappa)} lost per pair (kappa); "
    if law.peak_users is None:
        return f"{start}no peak within reach of the {show_count(most)} users measured."
    rest = ", beyond what was measured: an extrapolation" if law.extrapolated else ""
    return f"{start}the rate peaks at {law.peak_users:.0f} users{rest}."


def _pairs(kappa: float) -> str:
    return "nothing" if kappa < 1e-9 else f"{kappa:.2g}"


def _share(ratio: float) -> str:
    return "less than 0.1 %" if ratio < 0.001 else f"{100 * ratio:.2g} %"


def _cold_words(report: LimitReport) -> str | None:
    """The cold start in one sentence; None where no warm-up was recorded."""
    cold = report.cold_start
    if cold is None:
        return None
    if cold.steady_ms is None:
        return f"Cold start: not judged, for too few answers came; {show_count(cold.failed_count)} attempts failed."
    if not cold.seen:
        return f"No cold start was seen: the first answers took {show_ms(cold.first_ms)}, later ones as long."
    failed = "" if not cold.failed_count else f"; {show_count(cold.failed_count)} attempts failed before"
    first, steady = show_ms(cold.first_ms), show_ms(cold.steady_ms)
    return (
        f"Cold start: the first answers took {first}, and {steady} after {show_seconds(cold.steady_after_s)}{failed}."
    )
