"""The whole search in virtual time, against endpoints whose limit is known."""

from __future__ import annotations

from functools import cache
from statistics import median

import pytest

from capacity.goals import DEFAULT_GOALS
from capacity.offline import find_limit
from capacity.verdict import Kind, Limit, Verdict
from tests.capacity.model import Model, bad_ratio

CLIFFS = (
    (1, 0.02, 0.0),
    (1, 1.0, 0.5),
    (2, 0.005, 0.0),
    (3, 0.05, 0.3),
    (5, 1.0, 0.3),
    (8, 0.02, 0.0),
    (13, 0.1, 0.5),
    (17, 0.3, 0.5),
    (24, 0.1, 0.0),
    (37, 0.2, 0.3),
    (50, 0.25, 0.1),
    (64, 1.0, 0.2),
    (81, 0.3, 0.4),
    (100, 0.5, 0.5),
)
"""The cliff, the mean service time in seconds, its coefficient of variation."""
P95 = ("p95<=300ms",)


@cache
def cliff(users: int, service_s: float, spread: float) -> tuple[Verdict, Model]:
    """The verdict over an endpoint that admits `users`, and the endpoint with its own counts."""
    model = Model(servers=users, admitted=users, service_s=service_s, spread=spread, seed=users, carries_over=True)
    return find_limit(model, DEFAULT_GOALS, max_level=512), model


def queue(**changes: object) -> Model:
    """Four servers at 50 ms before an endless queue: at 20 users 2 % are slower than 300 ms, at 21 6 %."""
    settings = {"servers": 4, "admitted": None, "service_s": 0.05, "spread": 0.3}
    return Model(**{**settings, **changes})  # type: ignore[arg-type]


def binding(verdict: Verdict) -> Limit:
    assert verdict.binding is not None
    return verdict.binding


each_cliff = pytest.mark.parametrize(("users", "service_s", "spread"), CLIFFS)


@each_cliff
def test_a_cliff_is_found_exactly(users: int, service_s: float, spread: float) -> None:
    """The limit is the number of admitted users, the interval holds it, and one more is the first to be rejected."""
    verdict, _ = cliff(users, service_s, spread)
    limit = binding(verdict)
    assert (verdict.kind, limit.level) == (Kind.FOUND, users)
    assert limit.low <= users <= (limit.high or 0)
    assert verdict.first_rejected_users == users + 1
    assert verdict.binding_goal == "rejected<=0.1%"


@each_cliff
def test_a_cliff_costs_few_rejections(users: int, service_s: float, spread: float) -> None:
    """The endpoint itself counts at most 150."""
    _, model = cliff(users, service_s, spread)
    assert 0 < model.answered[503] <= 150


def test_cliffs_cost_little_time_and_load() -> None:
    """At the median over the table 150 s and 10,000 requests, whatever the service time."""
    costs = [(verdict.cost.seconds, model.sent_count) for verdict, model in (cliff(*case) for case in CLIFFS)]
    assert median(seconds for seconds, _ in costs) <= 150
    assert median(count for _, count in costs) <= 10_000
    assert max(seconds for seconds, _ in costs) <= 240


@each_cliff
def test_harm_counts_every_rejection_that_the_endpoint_answered(users: int, service_s: float, spread: float) -> None:
    """The verdict's rejections are the endpoint's own, those that came back after a trial had ended included."""
    verdict, model = cliff(users, service_s, spread)
    assert verdict.rejected_count == model.answered[503]


@each_cliff
def test_the_numbers_of_a_verdict_agree_with_each_other(users: int, service_s: float, spread: float) -> None:
    """Codes add up per level, trials add up to the cost, and the cost is all that the endpoint answered."""
    verdict, model = cliff(users, service_s, spread)
    assert all(sum(level.status_count.values()) == level.attempt_count for level in verdict.levels)
    assert all(level.status_count.get("200", 0) == level.good_count for level in verdict.levels)
    assert sum(trial.attempt_count for trial in verdict.trials) == verdict.cost.attempt_count == model.answered.total()
    assert sum(trial.rejected_count for trial in verdict.trials) == verdict.rejected_count
    assert sum(level.attempt_count for level in verdict.levels) <= verdict.cost.attempt_count
    last = verdict.trials[-1]
    assert verdict.cost.seconds == pytest.approx(last.started_s + last.seconds, abs=0.002)


def test_rates_and_latencies_are_those_of_the_endpoint() -> None:
    """Eight users of a service of 20 ms complete 400 requests/s at 20 ms each."""
    verdict, _ = cliff(8, 0.02, 0.0)
    level = next(row for row in verdict.levels if row.users == 8)
    assert level.completed_rps == pytest.approx(400, rel=0.01)
    assert (level.p50_ms, level.p99_ms) == (pytest.approx(20), pytest.approx(20))
    assert level.in_flight_mean == pytest.approx(8, rel=0.01)
    assert verdict.peak_rps == pytest.approx(400, rel=0.01)


def test_a_cliff_of_a_hundred_has_the_limit_101_when_one_in_a_hundred_may_be_rejected() -> None:
    """One user too many is rejected once where the hundred are served a hundred times: 0.9 % (contracts.md §1)."""
    verdict = find_limit(Model(servers=100, admitted=100, service_s=0.1), ["rejected<=1%"])
    assert (verdict.kind, binding(verdict).level) == (Kind.FOUND, 101)


def test_429_is_a_rejection_as_503_is() -> None:
    """Managed endpoints reject with 429; the limit is the same."""
    verdict = find_limit(Model(reject_status=429), DEFAULT_GOALS)
    assert (verdict.kind, binding(verdict).level, verdict.first_rejected_users) == (Kind.FOUND, 8, 9)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_latency_limit_lies_within_one_level_of_the_truth(seed: int) -> None:
    """A p95 goal before a queue: at most one user beside the limit of a long run, the truth within the interval ±1."""
    assert bad_ratio(20, 0.3, 300, queue()) < 0.05 < bad_ratio(21, 0.3, 300, queue())
    verdict = find_limit(queue(seed=seed), P95)
    limit = binding(verdict)
    assert verdict.kind is Kind.FOUND
    assert abs((limit.level or 0) - 20) <= 1
    assert limit.low - 1 <= 20 <= (limit.high or 0) + 1
    assert verdict.cost.seconds <= 240


@pytest.mark.parametrize(
    ("settings", "truth"),
    [({}, 20), ({"servers": 2, "service_s": 0.04, "spread": 1.0}, 9)],
)
def test_intervals_printed_as_95_percent_hold_the_truth(settings: dict[str, float], truth: int) -> None:
    """In at least 18 of 20 searches, and no limit lies more than one level above it or two below."""
    limits = [binding(find_limit(queue(**settings, seed=seed), P95)) for seed in range(20)]
    assert sum(limit.low <= truth <= (limit.high or truth) for limit in limits) >= 18
    assert all(-2 <= (limit.level or 0) - truth <= 1 for limit in limits)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_cold_start_does_not_move_a_latency_limit(seed: int) -> None:
    """Five times slower for 30 s: the limit lies within 3 % of the warm one, 42 users of eight servers."""
    assert bad_ratio(42, 0.3, 300, queue(servers=8)) < 0.05 < bad_ratio(43, 0.3, 300, queue(servers=8))
    verdict = find_limit(queue(servers=8, cold_s=30, cold_factor=5, seed=seed), P95)
    assert verdict.kind is Kind.FOUND
    assert abs((binding(verdict).level or 0) - 42) <= 0.03 * 42


def test_a_cold_start_does_not_move_a_cliff() -> None:
    """A cliff does not depend on the service time."""
    verdict = find_limit(
        Model(servers=20, admitted=20, service_s=0.05, spread=0.3, cold_s=30, cold_factor=5), DEFAULT_GOALS
    )
    assert (verdict.kind, binding(verdict).level) == (Kind.FOUND, 20)


def test_where_rejections_set_the_limit_some_level_is_the_first_rejected() -> None:
    """After a cold start all rejections above the cliff lie in transients sized for cold answers; they count."""
    verdict = find_limit(
        Model(servers=20, admitted=20, service_s=0.05, spread=0.3, cold_s=30, cold_factor=5), DEFAULT_GOALS
    )
    assert verdict.first_rejected_users == 21


def test_a_long_cold_start_is_not_a_goal_missed_at_one_user() -> None:
    """Level 1 failed while cold and passed twice when warm; what levels of 50 users show later does not undo that."""
    model = queue(service_s=0.02, cold_s=55, cold_factor=20, seed=1)
    assert find_limit(model, P95).kind is Kind.FOUND


def test_an_endpoint_that_takes_20_seconds_to_answer_is_measured() -> None:
    """No answer fits into a part of the warm-up; what is in flight then must still be heard."""
    assert find_limit(Model(servers=4, admitted=4, service_s=20.0, spread=0.3), DEFAULT_GOALS).levels


def test_an_endpoint_that_is_not_ready_for_20_seconds_is_waited_for() -> None:
    """It rejects everything at first; the limit is the one it has when it is ready."""
    verdict = find_limit(Model(unready_s=20, spread=0.3), DEFAULT_GOALS)
    assert (verdict.kind, binding(verdict).level) == (Kind.FOUND, 8)
    assert verdict.rejected_count <= 150


@pytest.mark.parametrize(("every_s", "stall_s"), [(10, 1), (4, 0.5)])
def test_stalls_do_not_move_a_cliff(every_s: float, stall_s: float) -> None:
    """While all work stands still nothing is rejected that was not before."""
    model = Model(service_s=0.05, spread=0.3, stall_every_s=every_s, stall_s=stall_s)
    verdict = find_limit(model, DEFAULT_GOALS)
    assert (verdict.kind, binding(verdict).level) == (Kind.FOUND, 8)


@pytest.mark.parametrize(
    ("goals", "settings"),
    [
        # one request alone takes 20 ms
        (["p95<=10ms"], {}),
        # one answer in twenty is a 500, whatever the load
        (DEFAULT_GOALS, {"error_ratio": 0.05}),
        # one request in twenty is never answered
        (DEFAULT_GOALS, {"error_ratio": 0.05, "error_status": None}),
        # everything is rejected, for good
        (DEFAULT_GOALS, {"error_ratio": 1.0, "error_status": 503}),
    ],
)
def test_a_goal_missed_at_one_user_is_no_matter_of_load(goals: list[str], settings: dict[str, float]) -> None:
    """The limit is zero, and the interval says so."""
    verdict = find_limit(Model(**settings), goals)  # type: ignore[arg-type]
    limit = binding(verdict)
    assert verdict.kind is Kind.MISSED_AT_ZERO_LOAD
    assert (limit.level, limit.low, limit.high, limit.confirmed) == (0, 0, 0, False)
    assert verdict.rejected_count <= 150


@pytest.mark.parametrize(("status", "ratio"), [(502, 0.05), (424, 0.05), (401, 1.0), (403, 0.01)])
def test_answers_that_no_load_explains_end_the_search(status: int, ratio: float) -> None:
    """Failing scripts and refused keys are told as what they are, soon, and by name."""
    verdict = find_limit(Model(error_ratio=ratio, error_status=status), DEFAULT_GOALS)
    assert verdict.kind is Kind.NOT_A_LOAD_PROBLEM
    assert str(status) in verdict.reason
    assert verdict.cost.seconds <= 20


@pytest.mark.parametrize("client_rps", [400, 2000])
def test_a_saturated_generator_is_told_from_a_saturated_endpoint(client_rps: int) -> None:
    """It reads answers late long before 500 users are too many; no limit is claimed, and the levels before stand."""
    verdict = find_limit(Model(servers=500, admitted=500, client_rps=client_rps), DEFAULT_GOALS)
    assert verdict.kind is Kind.CLIENT_LIMITED
    assert not verdict.client.valid
    assert any("ms late" in reason for reason in verdict.client.reasons)
    assert 1 <= (binding(verdict).level or 0) < 500
    assert binding(verdict).high is None


def test_a_generator_with_room_to_spare_is_not_accused() -> None:
    """It reads 20,000 answers a second where the endpoint gives 1,000, and the certificate tells its worst lag."""
    verdict = find_limit(Model(servers=20, admitted=20, client_rps=20_000), DEFAULT_GOALS)
    assert (verdict.kind, binding(verdict).level) == (Kind.FOUND, 20)
    assert (verdict.client.valid, verdict.client.reasons) == (True, ())
    assert 0 < (verdict.client.lag_p99_ms or 0) <= 5


def test_nothing_that_fails_up_to_the_cap_is_at_least_the_cap() -> None:
    """The interval has no upper end, and the level at the cap is the one confirmed."""
    verdict = find_limit(Model(servers=1000, admitted=1000, service_s=0.1), DEFAULT_GOALS, max_level=48)
    limit = binding(verdict)
    assert (verdict.kind, limit.level, limit.high, limit.confirmed) == (Kind.AT_LEAST, 48, None, True)
    assert max(level.users for level in verdict.levels) == 48
    assert verdict.first_rejected_users is None


@pytest.mark.parametrize(("cap", "kind", "level"), [(1, Kind.AT_LEAST, 1), (8, Kind.AT_LEAST, 8), (9, Kind.FOUND, 8)])
def test_a_cap_beside_the_limit_is_neither_passed_nor_taken_for_it(cap: int, kind: Kind, level: int) -> None:
    """A cliff of 8: a cap of 9 shows the failure above it, a cap of 8 does not."""
    verdict = find_limit(Model(), DEFAULT_GOALS, max_level=cap)
    assert (verdict.kind, binding(verdict).level) == (kind, level)
    assert max(trial.users for trial in verdict.trials) <= cap


@pytest.mark.parametrize("budget", [{"max_s": 8.0}, {"harm_budget": 10}, {"harm_budget": 1}])
def test_a_spent_budget_still_gives_an_interval_with_the_truth_in_it(budget: dict[str, float]) -> None:
    """A cliff of 40, searched with too little time or too few rejections."""
    model = Model(servers=40, admitted=40, service_s=0.1)
    verdict = find_limit(model, DEFAULT_GOALS, **budget)  # type: ignore[arg-type]
    limit = binding(verdict)
    assert verdict.kind is Kind.BUDGET_SPENT
    assert limit.low <= 40
    assert limit.high is None or limit.high >= 40
    assert verdict.rejected_count <= budget.get("harm_budget", 300)
    assert verdict.cost.seconds <= budget.get("max_s", 600) + 1


def test_no_wait_outlasts_the_time_budget() -> None:
    """A latency limit met in half a minute: the wait for a warm endpoint ends within a tenth of the budget of 30 s."""
    assert find_limit(Model(servers=4, admitted=None, spread=0.3), P95, max_s=30.0).cost.seconds <= 33


def test_the_search_does_not_climb_over_rejections_that_no_goal_forbids() -> None:
    """With a goal on time-outs alone, every level above the cliff ends by its allowance: none of them was held."""
    model = Model()
    find_limit(model, ["timeouts<=0.1%"])
    assert model.answered[503] <= 300


def test_goals_are_taken_as_given() -> None:
    """No default goal is added: without a goal on errors, 5 % of 500s leave the rejections to set the limit."""
    verdict = find_limit(Model(error_ratio=0.05), ["rejected<=0.1%"])
    assert [limit.goal for limit in verdict.limits] == ["rejected<=0.1%"]
    assert (verdict.kind, binding(verdict).level) == (Kind.FOUND, 8)


@pytest.mark.parametrize("changes", [{}, {"now_s": 1000.0}, {"counts_from_run": True}])
@pytest.mark.parametrize(("users", "service_s"), [(8, 0.02), (5, 1.0), (30, 0.2)])
def test_the_clock_of_the_prober_does_not_matter(users: int, service_s: float, changes: dict[str, float]) -> None:
    """Wherever its clock has its zero, and whether rows count from there or from the start of their run."""
    model = Model(servers=users, admitted=users, service_s=service_s, spread=0.3, **changes)  # type: ignore[arg-type]
    verdict = find_limit(model, DEFAULT_GOALS)
    assert (verdict.kind, binding(verdict).level, verdict.first_rejected_users) == (Kind.FOUND, users, users + 1)


@pytest.mark.parametrize("service_s", [0.02, 0.2, 1.0])
def test_both_clocks_of_the_rows_give_the_same_numbers(service_s: float) -> None:
    """Times since the start of the run and times of the prober's own clock make the same trials."""
    settings = {"servers": 5, "admitted": 5, "service_s": service_s, "spread": 0.3}
    own = find_limit(Model(**settings), DEFAULT_GOALS)  # type: ignore[arg-type]
    since_start = find_limit(Model(**settings, counts_from_run=True), DEFAULT_GOALS)  # type: ignore[arg-type]
    assert (since_start.limits, since_start.cost.attempt_count) == (own.limits, own.cost.attempt_count)


def test_answers_to_what_an_earlier_run_had_sent_are_no_evidence() -> None:
    """Stalls carry answers of a trial over into the next; with those rows or without, the cliff is the same."""
    settings = {"spread": 0.3, "stall_every_s": 2.0, "stall_s": 0.7}
    for carries_over in (False, True):
        verdict = find_limit(Model(**settings, carries_over=carries_over), DEFAULT_GOALS)  # type: ignore[arg-type]
        assert (verdict.kind, binding(verdict).level, verdict.first_rejected_users) == (Kind.FOUND, 8, 9)


def test_the_same_seed_gives_the_same_verdict() -> None:
    """Two searches of equal endpoints are equal to the last digit."""
    assert find_limit(queue(seed=7), P95) == find_limit(queue(seed=7), P95)


def test_an_unknown_mode_is_refused_in_words() -> None:
    """The two that there are stand in the message."""
    with pytest.raises(ValueError, match=r"neither 'closed' .* nor 'open'"):
        find_limit(Model(), DEFAULT_GOALS, mode="half-open")
