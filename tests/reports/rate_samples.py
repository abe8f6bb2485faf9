"""A report of `redline limit --open`: what comes back is 160 requests/s at most; goals of rejections and p95."""

from __future__ import annotations

from dataclasses import replace

from capacity.verdict import Kind, Level, Limit, Trial, Verdict
from reports.limit import LimitReport
from tests.reports import samples


def rate(due: int, answered_rps: float, rejected: int = 0, *, late: int = 3, seconds: float = 20.0) -> Level:
    """A level of `due` hundredths of a request per second; from the due time every percentile is 2 ms more."""
    good = round(answered_rps * seconds)
    base = samples.level(1)
    return replace(
        base,
        users=due,
        attempt_count=good + rejected,
        good_count=good,
        seconds=seconds,
        completed_rps=answered_rps,
        status_count={"200": good, "429": rejected} if rejected else {"200": good},
        p50_ms=20.0,
        p90_ms=24.0,
        p95_ms=30.0,
        p99_ms=44.0,
        p999_ms=60.0,
        max_ms=70.0,
        in_flight_mean=due / 100 * 0.0215,
        due_count=good + rejected + 1,
        late_count=late,
        p50_from_due_ms=22.0,
        p90_from_due_ms=26.0,
        p95_from_due_ms=32.0,
        p99_from_due_ms=46.0,
        p999_from_due_ms=62.0,
        max_from_due_ms=72.0,
    )


def rate_verdict() -> Verdict:
    """FOUND: 120.5 requests/s, interval 117 to 124; at 200 due only 160 come back."""
    levels = (rate(400, 4.0), rate(3200, 32.0), rate(9600, 95.9), rate(12000, 119.8, 2), rate(20000, 160.0, 700))
    bounds = {"bad_count": 2, "attempt_count": 2398, "bound_ratio": 0.0026}
    return replace(
        samples.cliff_verdict(),
        kind=Kind.FOUND,
        reason="rejected<=0.1% holds up to 120 requests/s and is missed above",
        limits=(
            Limit("rejected<=0.1%", 12050, 11700, 12400, confirmed=False, **bounds),  # type: ignore[arg-type]
            Limit("p95<=300ms", 20000, 20000, None, confirmed=True, bound_ratio=0.002, bad_count=0, attempt_count=3900),
        ),
        binding_goal="rejected<=0.1%",
        first_rejected_users=12000,
        knee_users=12000,
        peak_rps=160.0,
        levels=levels,
        little_residual_ratio=None,
        first_seen={"200": 400, "429": 12000},
        trials=(
            Trial(1, 400, "warm-up", 0.0, 2.5, 10, 0, "warm-up", ""),
            Trial(2, 12000, "halve", 2.5, 21.0, 2520, 2, "pass", "rejected<=0.1%: 2 of 2400 bad"),
            Trial(3, 20000, "rise", 23.5, 5.0, 1000, 700, "fail", "rejected<=0.1%: 700 of 1000 bad"),
        ),
        per_second=100,
    )


def rates(verdict: Verdict | None = None, **changed: object) -> LimitReport:
    """The report of the verdict, with settings of its own."""
    advice = replace(samples.RECOMMENDED, safe_users=None, safe_rps=87.75)
    goals = ("rejected<=0.1%", "p95<=300ms")
    said = {"recommended": advice, "run_facts": samples.facts(goals=goals), "failures": ()}
    return samples.report(verdict or rate_verdict(), **{**said, **changed})
