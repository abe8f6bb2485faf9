"""Reports as real runs leave them, one builder per kind of verdict: an endpoint with K places of about 20 ms each."""

from __future__ import annotations

from dataclasses import replace

from capacity.verdict import Client, Cost, Kind, Level, Limit, Recommended, Sizing, Trial, Verdict
from reports.limit import FailureSample, LimitReport, RunFacts
from scoring.endpoint import Endpoint, Hosting
from scoring.told import Finding

FAIR = Client(valid=True, reasons=(), lag_p99_ms=1.2, timely_ratio=0.9998, cpu_ratio=0.41, run_queue_ratio=0.012)
SATURATED = Client(
    valid=False,
    reasons=(
        "the generator used 97 % of a core (fair below 85 %)",
        "the generator woke up 41.0 ms late at p99 (fair up to 5.0 ms)",
    ),
    lag_p99_ms=41.0,
    timely_ratio=0.93,
    cpu_ratio=0.97,
    run_queue_ratio=0.31,
)


def level(users: int, places: int = 8, service_ms: float = 20.4, seconds: float = 20.0, code: str = "503") -> Level:
    """A level at a cliff: up to `places` all are served; each user beyond is turned away 45 times a second."""
    rps = min(users, places) / service_ms * 1000
    if users > places:
        seconds = max(0.3, 1.1 / (users - places))  # the harm budget ends such a trial
    good = round(rps * seconds)
    rejected = 0 if users <= places else round((users - places) * seconds * 45)
    slow = 1.0 if users <= places else 1.03
    return Level(
        users=users,
        attempt_count=good + rejected,
        good_count=good,
        seconds=seconds,
        completed_rps=rps,
        status_count={"200": good, code: rejected} if rejected else {"200": good},
        p50_ms=service_ms * 0.99 * slow,
        p90_ms=service_ms * 1.18 * slow,
        p95_ms=service_ms * 1.31 * slow,
        p99_ms=service_ms * 1.62 * slow,
        p999_ms=service_ms * 2.2 * slow,
        max_ms=service_ms * 2.9 * slow,
        server_p50_ms=service_ms * 0.96,
        in_flight_mean=float(min(users, places)),
        trial_count=2 if users in (places, places + 1) else 1,
        discarded_count=0,
        first_at="2026-11-22T20:55:01Z",
    )


def queued_level(users: int, knee: int, service_ms: float = 80.0, seconds: float = 20.0) -> Level:
    """A level of an endpoint that queues: beyond the knee each user adds waiting time, none is turned away."""
    wait = max(1.0, users / knee)
    one = level(users, places=knee, service_ms=service_ms, seconds=seconds)
    good = one.good_count
    return replace(
        one,
        attempt_count=good,
        status_count={"200": good},
        p50_ms=service_ms * 0.98 * wait,
        p90_ms=service_ms * 1.25 * wait**1.1,
        p95_ms=service_ms * 1.4 * wait**1.15,
        p99_ms=service_ms * 1.9 * wait**1.2,
        p999_ms=service_ms * 2.6 * wait**1.25,
        max_ms=service_ms * 3.1 * wait**1.25,
        trial_count=1,
    )


OVERLOAD = Finding(
    rule="D01",
    cause="more requests were in flight than the replicas take",
    confidence="high",
    count=62,
    labels=("503",),
    evidence=("62 answers of 503 above 8 users, none below",),
    counter_evidence=(),
    next_step="add replicas, or keep to 8 users.",
)


def facts(**changed: object) -> RunFacts:
    values: dict[str, object] = {
        "tool_version": "0.1.0",
        "versions": {"python": "3.11.7", "locust": "2.43.0", "gevent": "25.9.1"},
        "seed": 7,
        "configuration_hash": "3f9c2ab1d004",
        "started_at": "2026-11-22T20:55:01Z",
        "command": "redline limit churn-prod --need 250rps --seed 7",
        "goals": ("rejected<=0.1%", "errors<=1%"),
        "harm_budget": 300,
        "budget_s": 180.0,
        "payload_count": 3,
        "finished": True,
    }
    return RunFacts(**{**values, **changed})  # type: ignore[arg-type]


ENDPOINT = Endpoint(
    name="churn-prod",
    scoring_uri="https://churn.westeurope.example.com/api/v1/service/churn/score",
    hosting=Hosting.AKS,
    auth="key",
    key_env="CHURN_KEY",
    instances=4,
    max_concurrent=2,
)

RECOMMENDED = Recommended(
    safe_users=6,
    safe_rps=294.1,
    settings={
        "replica_max_concurrent_requests": "2 (as configured; 4 replicas × 2 = 8 were admitted)",
        "autoscale_min_replicas": "4",
        "scoring_timeout_ms": "1000",
    },
    paste={
        "v1 AksWebservice (SDK)": (
            "from azureml.core.webservice import AksWebservice\n\n"
            "config = AksWebservice.deploy_configuration(\n"
            "    autoscale_enabled=True,\n"
            "    autoscale_min_replicas=4,\n"
            "    autoscale_max_replicas=8,\n"
            "    autoscale_target_utilization=70,\n"
            "    replica_max_concurrent_requests=2,\n"
            "    scoring_timeout_ms=1000,\n"
            ")\n"
        ),
    },
    why=(
        "safe load: 0.75 × 8, the lower end of the limit's interval",
        "4 replicas carry 250 requests/s with 0.04 % rejected by the queueing model (20.4 ms per request, 2 at once)",
        "scoring_timeout_ms: twice the p99.9 of 45 ms at the limit, rounded up to a second",
    ),
    sizing=(
        Sizing(
            target_rps=250.0,
            service_s=0.0204,
            concurrency=2,
            replicas=7,
            rejected_ratio=0.0007,
            formula_replicas=4,
            formula_rejected_ratio=0.092,
        ),
    ),
)


def trials() -> tuple[Trial, ...]:
    rows = (
        (1, 1, "warm-up", 0.0, 8.0, 392, 0, "warm-up", "window medians agree"),
        (2, 1, "grow", 8.0, 5.0, 245, 0, "pass", "no bad answer in 245"),
        (3, 2, "grow", 13.1, 5.0, 490, 0, "pass", "no bad answer in 490"),
        (4, 4, "grow", 18.2, 5.0, 980, 0, "pass", "no bad answer in 980"),
        (5, 8, "grow", 23.3, 8.0, 3137, 0, "pass", "no bad answer in 3,137"),
        (6, 16, "grow", 31.4, 0.3, 166, 48, "fail", "48 of 166 were rejected"),
        (7, 10, "refine", 31.8, 0.8, 361, 47, "fail", "47 of 361 were rejected"),
        (8, 9, "refine", 32.7, 1.1, 480, 49, "fail", "49 of 480 were rejected"),
        (9, 8, "confirm", 33.9, 20.0, 7843, 0, "pass", "at most 0.04 % with 95 % confidence"),
    )
    return tuple(Trial(*row) for row in rows)


def limit(goal: str, users: int | None, low: int, high: int | None, **changed: object) -> Limit:
    values: dict[str, object] = {"confirmed": True, "bound_ratio": 0.00038, "bad_count": 0, "attempt_count": 7843}
    return Limit(goal=goal, level=users, low=low, high=high, **{**values, **changed})  # type: ignore[arg-type]


def cliff_verdict() -> Verdict:
    levels = tuple(level(users) for users in (1, 2, 4, 6, 7, 8, 9, 10, 12, 16))
    return Verdict(
        kind=Kind.FOUND,
        reason="8 users kept every goal and 9 missed rejected<=0.1%",
        limits=(
            limit("rejected<=0.1%", 8, 8, 8),
            limit("errors<=1%", 8, 8, 9, bound_ratio=0.00038),
        ),
        binding_goal="rejected<=0.1%",
        first_rejected_users=9,
        knee_users=8,
        peak_rps=392.2,
        levels=levels,
        rejected_count=144,
        client=FAIR,
        cost=Cost(seconds=54.0, attempt_count=14094),
        trials=trials(),
        warm_up_s=8.0,
        little_residual_ratio=0.008,
        first_seen={"200": 1, "503": 9},
    )


def report(verdict: Verdict, **changed: object) -> LimitReport:
    values: dict[str, object] = {
        "verdict": verdict,
        "endpoint": ENDPOINT,
        "decision": None,
        "decision_sentence": None,
        "recommended": RECOMMENDED,
        "run": "20261122T205501Z-limit-churn-prod",
        "run_facts": facts(),
        "failures": (
            FailureSample(
                "503", 16, "0c9d1f6a4be24a7fb1de53f0a9c1e2d4", "Too many requests for service churn (overloaded)"
            ),
            FailureSample(
                "503", 9, "5fb2a86e0d1c4d7e9a41b6c7d8e9f0a1", "Too many requests for service churn (overloaded)"
            ),
        ),
    }
    return LimitReport(**{**values, **changed})  # type: ignore[arg-type]


def cliff() -> LimitReport:
    """AKS, 4 × 2 places, a need of 250 requests/s."""
    return report(
        cliff_verdict(), decision="GO", decision_sentence="carries 392 requests/s, needs 250: 1.6×", causes=(OVERLOAD,)
    )


def managed() -> LimitReport:
    """A managed endpoint: 2 × 4 × 2 = 16 admitted, of which 8 are served at a time; rejections are 429."""
    base = cliff_verdict()
    levels = tuple(replace(queued_level(users, 8, 20.4), users=users) for users in (1, 2, 4, 8, 12, 15, 16))
    beyond = replace(level(17, places=16, code="429"), completed_rps=390.0, p50_ms=41.0, p95_ms=53.0, p99_ms=66.0)
    verdict = replace(
        base,
        reason="16 users kept every goal and 17 missed rejected<=0.1%",
        limits=(limit("rejected<=0.1%", 16, 16, 16), limit("errors<=1%", 16, 16, 17)),
        first_rejected_users=17,
        levels=(*levels, beyond),
        first_seen={"200": 1, "429": 17},
    )
    endpoint = replace(ENDPOINT, name="fraud-blue", hosting=Hosting.MANAGED, deployment="blue")
    return report(verdict, endpoint=endpoint, failures=())


def latency_goal() -> LimitReport:
    """ACI queues and never rejects: the latency goal is what binds."""
    goals = ("rejected<=0.1%", "errors<=1%", "p95<=300ms")
    levels = tuple(queued_level(users, 8) for users in (1, 2, 4, 8, 12, 16, 19, 20, 21, 24, 32))
    verdict = replace(
        cliff_verdict(),
        reason="20 users kept every goal and 24 missed p95<=300ms",
        limits=(
            limit("rejected<=0.1%", 32, 32, None, bound_ratio=0.0015),
            limit("errors<=1%", 32, 32, None, bound_ratio=0.0015),
            limit("p95<=300ms", 20, 19, 21, confirmed=False, bound_ratio=0.056, bad_count=91, attempt_count=2000),
        ),
        binding_goal="p95<=300ms",
        first_rejected_users=None,
        knee_users=8,
        peak_rps=98.0,
        levels=levels,
        rejected_count=0,
        first_seen={"200": 1},
    )
    endpoint = replace(ENDPOINT, name="embeddings", hosting=Hosting.ACI, instances=1, max_concurrent=None)
    return report(verdict, endpoint=endpoint, run_facts=facts(goals=goals), failures=())


def at_least() -> LimitReport:
    """Nothing failed up to the cap."""
    levels = tuple(level(users, places=10_000) for users in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512))
    verdict = replace(
        cliff_verdict(),
        kind=Kind.AT_LEAST,
        reason="no goal was missed up to --max-users 512",
        limits=(limit("rejected<=0.1%", 512, 512, None), limit("errors<=1%", 512, 512, None)),
        first_rejected_users=None,
        knee_users=None,
        peak_rps=25_098.0,
        levels=levels,
        rejected_count=0,
        first_seen={"200": 1},
    )
    return report(verdict, failures=())


def missed_at_zero_load() -> LimitReport:
    """The latency goal is missed by a single user."""
    verdict = replace(
        cliff_verdict(),
        kind=Kind.MISSED_AT_ZERO_LOAD,
        reason="at one user 38.0 % of the answers took longer than 300 ms",
        limits=(limit("p95<=300ms", None, 0, 0, confirmed=False, bound_ratio=0.45, bad_count=38, attempt_count=100),),
        binding_goal="p95<=300ms",
        first_rejected_users=None,
        knee_users=None,
        peak_rps=3.5,
        levels=(queued_level(1, 1, service_ms=285.0, seconds=30.0),),
        rejected_count=0,
        first_seen={"200": 1},
        little_residual_ratio=None,
    )
    return report(verdict, decision="NO-GO", decision_sentence="p95<=300ms is missed at one user", failures=())


def client_limited() -> LimitReport:
    """The generator ran out of CPU before the endpoint failed."""
    verdict = replace(
        cliff_verdict(),
        kind=Kind.CLIENT_LIMITED,
        reason="the generator used 97 % of a core at 64 users",
        limits=(limit("rejected<=0.1%", 32, 32, None), limit("errors<=1%", 32, 32, None)),
        first_rejected_users=None,
        knee_users=None,
        client=SATURATED,
        levels=tuple(level(users, places=10_000) for users in (1, 2, 4, 8, 16, 32)),
        rejected_count=0,
        first_seen={"200": 1},
        trials=(*trials()[:5], Trial(6, 64, "grow", 31.4, 3.0, 4100, 0, "invalid", "client CPU 97 %")),
    )
    return report(verdict, failures=())


def not_a_load_problem() -> LimitReport:
    """A wrong key: nothing about load can be said."""
    verdict = Verdict(
        kind=Kind.NOT_A_LOAD_PROBLEM,
        reason="churn-prod answered 401 to a key",
        limits=(),
        binding_goal=None,
        first_rejected_users=None,
        knee_users=None,
        peak_rps=0.0,
        levels=(),
        rejected_count=0,
        client=Client(valid=True, reasons=()),
        cost=Cost(seconds=0.2, attempt_count=1),
        first_seen={"401": 1},
    )
    nothing = Recommended(safe_users=None, safe_rps=None)
    sample = FailureSample("401", 1, "a" * 32, "key_auth_access_denied")
    return report(verdict, recommended=nothing, failures=(sample,))


def budget_spent() -> LimitReport:
    """A slow endpoint: the budget ended between two levels."""
    verdict = replace(
        cliff_verdict(),
        kind=Kind.BUDGET_SPENT,
        reason="the budget of 180 s ended before the interval was narrow enough",
        limits=(
            limit("rejected<=0.1%", 8, 8, 16, confirmed=False, bound_ratio=0.0042, attempt_count=712),
            limit("errors<=1%", 8, 8, 16, confirmed=False, bound_ratio=0.0042, attempt_count=712),
        ),
        cost=Cost(seconds=180.0, attempt_count=1904),
    )
    return report(verdict, decision="NOT ENOUGH DATA", decision_sentence="carries between 8 and 16 users, needs 12")


def not_steady() -> LimitReport:
    """Latency kept falling through the whole warm-up."""
    verdict = replace(
        cliff_verdict(),
        kind=Kind.NOT_STEADY,
        reason="latency was still falling after 90 s of warm-up",
        limits=(),
        binding_goal=None,
        levels=(),
        first_rejected_users=None,
        knee_users=None,
        peak_rps=0.0,
        first_seen={},
    )
    return report(verdict, recommended=Recommended(None, None), failures=())


def interrupted() -> LimitReport:
    """Ctrl-C in mid-search: what was measured until then still counts."""
    base = budget_spent()
    verdict = replace(base.verdict, interrupted=True, reason="interrupted after 41 s")
    return replace(base, verdict=verdict, run_facts=facts(finished=False))


_KINDS = (cliff, managed, latency_goal, at_least, missed_at_zero_load, client_limited, not_a_load_problem)
ALL = {build.__name__: build for build in (*_KINDS, budget_spent, not_steady, interrupted)}
