"""Was it a fair measurement? One row per condition, each with the evidence."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from capacity.goals import Goal, parse_goal
from capacity.validity import CEILING_RATIO, CPU_RATIO, RUN_QUEUE_RATIO, TIMELY_RATIO, allowed_lag_s
from capacity.verdict import Client, Kind, Verdict
from reports.limit import LimitReport
from reports.words import attempts_words, percent
from scoring.errors import RedlineError
from scoring.units import show_count, show_ms, show_ratio, show_seconds

LITTLE_RATIO = 0.03
"""Little's law, N = X·R, may miss by this much before a level's rate or latency is doubted."""
SENT_RATIO = 0.99
"""Of an open loop: an endpoint that is sent less than this share of the requests due has been spared load."""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One condition of a fair measurement. `word` is ok, warn, fail or unknown."""

    name: str
    word: str
    evidence: str


def certificate(report: LimitReport) -> tuple[CheckRow, ...]:
    """Every condition, in the order a doubting reader asks for them."""
    verdict = report.verdict
    return (_client(verdict), *_generator(report), *_measurement(verdict), *_cost(report), _complete(report))


def fairness(report: LimitReport) -> str:
    """One sentence: fair with its figures, or not fair with every reason."""
    if report.verdict.client.valid and not report.verdict.levels:
        return "Nothing was measured under load, so nothing is said of it."
    return client_words(report.verdict.client)


def client_words(client: Client) -> str:
    """Was it a fair measurement, as far as the client tells?"""
    if not client.valid:
        return f"The measurement was not fair: {'; '.join(client.reasons) or 'no reason was recorded'}."
    figures = (
        (client.cpu_ratio, f"client CPU {percent(client.cpu_ratio)} at most"),
        (client.lag_p99_ms, f"lag p99 {show_ms(client.lag_p99_ms)}"),
        (client.timely_ratio, f"{percent(client.timely_ratio, 2)} of sends on time"),
        (client.late_p99_ms, f"at p99 {show_ms(client.late_p99_ms)} after due"),
    )
    said = ", ".join(text for value, text in figures if value is not None)
    return f"The measurement was fair: {said or 'no sign that the client was the wall'}."


def _client(verdict: Verdict) -> CheckRow:
    client = verdict.client
    said = "; ".join(client.reasons)
    if client.valid:
        return CheckRow("The endpoint was the wall", "warn" if said else "ok", said or "no sign that the client was it")
    return CheckRow("The endpoint was the wall", "fail", said or "the client was judged unfit, no reason recorded")


def _generator(report: LimitReport) -> tuple[CheckRow, ...]:
    client = report.verdict.client
    lag, cpu, queue = client.lag_p99_ms, client.cpu_ratio, client.run_queue_ratio
    service_ms = next((level.p50_ms for level in report.verdict.levels if level.p50_ms is not None), None)
    service_s = None if service_ms is None else service_ms / 1000
    allowed_ms = 1000 * allowed_lag_s(_goals(report.run_facts.goals), service_s)
    rows: tuple[CheckRow, ...] = (
        _row("Client lag", lag, lambda ms: ms <= allowed_ms, f"p99 {show_ms(lag)}, fair up to {show_ms(allowed_ms)}"),
        _sends(client, allowed_ms),
        _row(
            "Client CPU",
            cpu,
            lambda ratio: ratio < CPU_RATIO,
            f"{percent(cpu)} of a core at most, fair below {percent(CPU_RATIO)}",
        ),
        _row(
            "Wait for a CPU",
            queue,
            lambda ratio: ratio <= RUN_QUEUE_RATIO,
            f"{percent(queue, 1)} of the time, fair up to {percent(RUN_QUEUE_RATIO)}",
        ),
    )
    beyond = "warn" if client.valid else "fail"
    rows = (*rows, *_canary(client), *_ceiling(client))
    return tuple(replace(row, word=beyond) if row.word == "warn" else row for row in rows)


def _sends(client: Client, allowed_ms: float) -> CheckRow:
    """In a closed loop how many requests left in time, in an open one how late they left."""
    name, late_ms, timely = "Sends on time", client.late_p99_ms, client.timely_ratio
    if late_ms is not None:
        evidence = f"p99 {show_ms(late_ms)} after they were due, fair up to {show_ms(allowed_ms)}"
        return _row(name, late_ms, lambda ms: ms <= allowed_ms, evidence)
    evidence = f"{percent(timely, 2)}, fair from {percent(TIMELY_RATIO, 1)}"
    return _row(name, timely, lambda ratio: ratio >= TIMELY_RATIO, evidence)


def _canary(client: Client) -> tuple[CheckRow, ...]:
    """Of a run in which another process sent in the place of a user now and then."""
    if not client.canary_count:
        return ()
    what = f"{show_count(client.canary_count)} answers to a second process"
    late = any(reason.startswith("a second process") for reason in client.reasons)
    return (
        CheckRow("Canary", "warn" if late else "ok", f"{what}, {'faster than' if late else 'as fast as'} the users'"),
    )


def _ceiling(client: Client) -> tuple[CheckRow, ...]:
    """Of a run that came near enough to its generator's own end to measure it."""
    rps, ratio = client.ceiling_rps, client.ceiling_ratio
    if rps is None or ratio is None:
        return ()
    used = f"{show_count(round(rps))} requests/s a core, {percent(ratio)} used, fair up to {percent(CEILING_RATIO)}"
    return (_row("Generator ceiling", ratio, lambda share: share <= CEILING_RATIO, used),)


def _measurement(verdict: Verdict) -> tuple[CheckRow, ...]:
    little, warm_up_s = verdict.little_residual_ratio, verdict.warm_up_s
    discarded = sum(trial.outcome == "invalid" for trial in verdict.trials)
    used = sum(trial.outcome not in ("invalid", "warm-up") for trial in verdict.trials)
    residual = f"N and X·R differ by {percent(little, 1)} at most, fair up to {percent(LITTLE_RATIO)}"
    return (
        _rate_kept(verdict)
        if verdict.unit.is_open
        else _row("Little's law", little, lambda ratio: ratio <= LITTLE_RATIO, residual),
        _row("Warm-up", warm_up_s, _always, f"the first {show_seconds(warm_up_s)} are left out"),
        _row(
            "Trials",
            len(verdict.trials) or None,
            lambda _: discarded <= used,
            f"{show_count(used)} used, {show_count(discarded)} discarded as no fair measurement",
        ),
        _both_sides(verdict),
        _counts(verdict),
    )


def _rate_kept(verdict: Verdict) -> CheckRow:
    """Of an open loop: was what was due sent at all?"""
    due = sum(level.due_count or 0 for level in verdict.levels)
    sent = sum(level.attempt_count for level in verdict.levels)
    late = sum(level.late_count or 0 for level in verdict.levels)
    said = f"{show_ratio(sent, due)} of those due, {show_count(late)} of them late" if due else ""
    return _row("Requests sent", sent / due if due else None, lambda ratio: ratio >= SENT_RATIO, said)


def _both_sides(verdict: Verdict) -> CheckRow:
    name, best, unit = "Evidence on both sides", verdict.binding, verdict.unit
    if best is None or best.level is None:
        return CheckRow(name, "unknown", "no limit was reached")
    if best.high is None:
        word = "ok" if verdict.kind is Kind.AT_LEAST else "warn"
        return CheckRow(name, word, f"{best.goal} was kept at every level tried: a lower bound, not a limit")
    word = "ok" if best.confirmed else "warn"
    kept = "is confirmed" if best.confirmed else "is kept but not confirmed"
    return CheckRow(
        name, word, f"{best.goal} {kept} at {unit.number(best.level)} and missed above {unit.number(best.high)}"
    )


def _counts(verdict: Verdict) -> CheckRow:
    name = "Counts add up"
    off = [level.users for level in verdict.levels if sum(level.status_count.values()) != level.attempt_count]
    if off:
        return CheckRow(
            name, "fail", f"codes and attempts differ at {', '.join(map(verdict.unit.number, off))} {verdict.unit.noun}"
        )
    total = sum(level.attempt_count for level in verdict.levels)
    evidence = f"every one of {show_count(total)} attempts has a code or a failure"
    return _row(name, total if verdict.levels else None, _always, evidence)


def _cost(report: LimitReport) -> tuple[CheckRow, ...]:
    verdict, facts = report.verdict, report.run_facts
    spent = verdict.kind is Kind.BUDGET_SPENT
    harm = verdict.rejected_count
    return (
        CheckRow(
            "Time budget",
            "warn" if spent else "ok",
            f"{show_seconds(verdict.cost.seconds)} of {show_seconds(facts.budget_s)}, "
            f"{attempts_words(verdict.cost.attempt_count)}",
        ),
        CheckRow(
            "Harm budget",
            "ok" if harm <= facts.harm_budget else "warn",
            f"{show_count(harm)} rejected requests caused, {show_count(facts.harm_budget)} allowed",
        ),
    )


def _complete(report: LimitReport) -> CheckRow:
    if report.verdict.interrupted:
        return CheckRow("Complete run", "warn", "interrupted; judged by what was measured until then")
    if not report.run_facts.finished:
        return CheckRow("Complete run", "warn", "the writer stopped early; judged by what its folder holds")
    return CheckRow("Complete run", "ok", "ended by itself and wrote all its records")


def _row(name: str, value: float | None, fine: Callable[[float], bool], evidence: str) -> CheckRow:
    """Unknown without a value; else ok when it is fine, warn when not."""
    if value is None:
        return CheckRow(name, "unknown", "not measured")
    return CheckRow(name, "ok" if fine(value) else "warn", evidence)


def _always(_: float) -> bool:
    return True


def _goals(texts: tuple[str, ...]) -> tuple[Goal, ...]:
    """The goals that can be read; one from a newer version sets no bound here."""
    goals = []
    for text in texts:
        with suppress(RedlineError):
            goals.append(parse_goal(text))
    return tuple(goals)
