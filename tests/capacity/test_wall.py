"""Which wall it was: verdicts and signs with a known cause, by hand and from endpoints in virtual time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.limits.endpoint import Endpoint as Model
from bench.limits.endpoint import Service
from capacity.signs import Signs, signs_of
from capacity.summary import RECORD_DTYPE, Rows
from capacity.verdict import Kind, Trial, Verdict
from capacity.wall import Wall, WallKind, wall_of
from scoring.attempt import FAILURE_NUMBER, Failure
from scoring.endpoint import Hosting
from scoring.units import S
from tests.capacity.verdicts import OPEN, endpoint, level, limit, verdict

FULL = {"503": 60, "200": 940}


def _cliff(status: str = "503", **values: Any) -> Verdict:
    """8 users hold, 9 are rejected now and then."""
    above = level(9, 81.0, good_count=940, status_count={"200": 940, status: 60})
    return verdict(levels=(level(1, 10.0), level(8, 80.0), above), **values)


def _late(above: Any, *, goal: str = "p95<=300ms") -> Verdict:
    levels = (level(1, 20.0, 50.0, server_p50_ms=45.0), level(8, 80.0, 100.0, server_p50_ms=50.0), above)
    return verdict(limits=(limit(goal, confirmed=False),), levels=levels, first_rejected_users=None)


def test_a_limit_at_what_the_settings_let_in_is_their_doing() -> None:
    """2 x 2 at once x 2 instances are 8, and 8 hold: high confidence."""
    wall = wall_of(_cliff("429"), endpoint(Hosting.MANAGED))
    assert (wall.kind, wall.confidence) == (WallKind.SERVER_CONCURRENCY, "high")
    assert "2 x 2 at once x 2 instances" in wall.evidence[0]
    assert "instance_count" in wall.next_step


def test_a_limit_elsewhere_than_the_settings_say_is_told() -> None:
    """12 are let in by the settings, 8 were seen: it counts places, and the difference is said."""
    wall = wall_of(_cliff(), endpoint(Hosting.AKS, instances=6))
    assert wall.kind is WallKind.SERVER_CONCURRENCY
    assert any("let in 12" in said for said in wall.evidence)


def test_without_settings_a_flat_latency_speaks_for_a_count_of_places() -> None:
    """A quota on the rate looks the same where nothing tells them apart: low confidence, and that is said."""
    wall = wall_of(_cliff(), endpoint(Hosting.AKS, instances=None))
    assert (wall.kind, wall.confidence) == (WallKind.SERVER_CONCURRENCY, "low")
    assert "quota" in wall.counter_evidence[0]


def test_rejections_that_come_late_have_waited_in_a_queue() -> None:
    """azureml-fe rejects after half a second of waiting."""
    wall = wall_of(_cliff(), endpoint(Hosting.AKS, instances=None), Signs(rejection_p50_ms=503.0))
    assert (wall.kind, wall.confidence) == (WallKind.QUEUE, "high")


def test_five_hundred_a_second_on_a_managed_endpoint_is_the_quota() -> None:
    """The rate stands at the documented quota, and the settings would let in more."""
    levels = (level(1, 50.0), level(10, 499.0), level(12, 501.0, good_count=900, status_count={"200": 900, "429": 100}))
    found = verdict(limits=(limit(at=10, low=10, high=10),), levels=levels, peak_rps=501.0)
    wall = wall_of(found, endpoint(Hosting.MANAGED, instances=20))
    assert wall.kind is WallKind.QUOTA
    assert "500" in wall.evidence[0] or "501" in wall.evidence[0]


def test_a_rejection_that_names_pending_requests_is_no_quota() -> None:
    """`too_many_pending_request` is what the front end says of a count of places."""
    levels = (level(1, 50.0), level(10, 499.0), level(12, 501.0, good_count=900, status_count={"200": 900, "429": 100}))
    found = verdict(limits=(limit(at=10, low=10, high=10),), levels=levels, peak_rps=501.0)
    signs = Signs(reasons={"too_many_pending_request": 100})
    assert wall_of(found, endpoint(Hosting.MANAGED, instances=20), signs).kind is WallKind.SERVER_CONCURRENCY


def test_work_that_takes_longer_is_the_processor() -> None:
    """The server's own time grows as much as the answers do, and the rate stands still."""
    wall = wall_of(_late(level(12, 81.0, 320.0, server_p50_ms=300.0)), endpoint())
    assert (wall.kind, wall.confidence) == (WallKind.CPU, "high")


def test_work_that_takes_no_longer_is_a_queue() -> None:
    """The server's own time is flat while answers take six times as long: they wait for their turn."""
    wall = wall_of(_late(level(12, 81.0, 320.0, server_p50_ms=46.0)), endpoint())
    assert (wall.kind, wall.confidence) == (WallKind.QUEUE, "high")


def test_a_server_that_does_not_tell_its_time_leaves_it_open() -> None:
    """A queue and a busy processor look alike from outside: low confidence, and what is missing is named."""
    wall = wall_of(_late(level(12, 81.0, 320.0)), endpoint())
    assert (wall.kind, wall.confidence) == (WallKind.QUEUE, "low")
    assert "x-ms-run-fn-exec-ms" in wall.counter_evidence[0]


def test_a_rate_that_falls_is_requests_slowing_each_other_down() -> None:
    """At 12 users less than three quarters of the peak is completed."""
    wall = wall_of(_late(level(12, 58.0, 320.0)), endpoint())
    assert (wall.kind, wall.confidence) == (WallKind.CPU, "medium")


def test_answers_that_take_long_to_travel_are_the_network() -> None:
    """From first byte to last is where the time went."""
    signs = Signs(light_transfer_ms=2.0, busy_transfer_ms=250.0)
    assert wall_of(_late(level(12, 81.0, 320.0)), endpoint(), signs).kind is WallKind.NETWORK


def test_five_megabytes_a_second_of_a_managed_endpoint_are_its_quota() -> None:
    """Bandwidth beyond it is delayed and not rejected."""
    signs = Signs(light_transfer_ms=2.0, busy_transfer_ms=250.0, received_bytes_rps=4.9e6)
    assert wall_of(_late(level(12, 81.0, 320.0)), endpoint(Hosting.MANAGED), signs).kind is WallKind.QUOTA


def test_answers_that_time_out_are_the_time_out() -> None:
    """More 504 than anything else above the limit."""
    wall = wall_of(_cliff("504"), endpoint(Hosting.AKS))
    assert (wall.kind, wall.confidence) == (WallKind.TIMEOUT, "high")
    assert "scoring_timeout_ms" in wall.next_step


def test_connections_that_break_are_the_network() -> None:
    """What never became an answer never reached the model."""
    assert wall_of(_cliff("conn_reset"), endpoint(Hosting.AKS)).kind is WallKind.NETWORK


def _trial(number: int, users: int, outcome: str, started_s: float) -> Trial:
    return Trial(number, users, "grow", started_s, 3.0, 300, 0, outcome, "")


GREW = (_trial(1, 4, "fail", 10.0), _trial(2, 8, "pass", 60.0))


def test_a_limit_that_moved_up_is_the_autoscaler() -> None:
    """4 users failed early and 8 held later, while a light load was as fast at the start as at the end."""
    wall = wall_of(_cliff(trials=GREW), endpoint(Hosting.AKS, instances=None), Signs(early_ms=22.0, late_ms=21.0))
    assert (wall.kind, wall.confidence) == (WallKind.AUTOSCALER, "medium")
    assert "4 users failed after 10 s" in wall.evidence[0]


def test_an_endpoint_that_was_cold_is_not_scaled() -> None:
    """A light load became faster in between: it warmed up."""
    wall = wall_of(_cliff(trials=GREW), endpoint(Hosting.AKS, instances=None), Signs(early_ms=90.0, late_ms=21.0))
    assert wall.kind is not WallKind.AUTOSCALER


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (verdict(Kind.CLIENT_LIMITED, (OPEN,)), WallKind.CLIENT),
        (verdict(Kind.AT_LEAST, (OPEN,)), WallKind.NOT_REACHED),
        (verdict(Kind.MISSED_AT_ZERO_LOAD, (limit(at=0, low=0, high=0),)), WallKind.UNKNOWN),
        (verdict(Kind.NOT_A_LOAD_PROBLEM, ()), WallKind.UNKNOWN),
        (verdict(Kind.NOT_STEADY, ()), WallKind.UNKNOWN),
        (verdict(Kind.BUDGET_SPENT, (), levels=()), WallKind.UNKNOWN),
    ],
)
def test_the_kind_of_a_verdict_may_tell_the_wall(found: Verdict, kind: WallKind) -> None:
    """Where no limit was found no server is blamed for it."""
    assert wall_of(found, endpoint()).kind is kind


def test_every_wall_has_a_next_step_on_every_hosting() -> None:
    """Nobody is left with a wall and nothing to do."""
    walls: list[Wall] = []
    for hosting in (*Hosting, None):
        walls += [wall_of(_cliff(), endpoint(hosting)), wall_of(_late(level(12, 81.0, 320.0)), endpoint(hosting))]
    assert all(wall.next_step for wall in walls)


def _rows(service: Service, users: tuple[int, ...], seconds: float = 3.0) -> tuple[Rows, list[Trial]]:
    """What an endpoint in virtual time shows at some numbers of users, as a search records it."""
    model, parts, trials = Model(service, seed=3), [], []
    for number, count in enumerate(users, start=1):
        rows = model.run(count, seconds)
        model.run(0, 1.0)
        part = np.zeros(len(rows), dtype=RECORD_DTYPE)
        part["trial"] = number
        part["sent_ns"] = [round(row[1] * S) for row in rows]
        part["done_ns"] = [round((row[1] + row[2]) * S) for row in rows]
        part["status"] = [row[3] for row in rows]
        part["failure"] = [0 if row[3] == 200 else FAILURE_NUMBER[Failure.UNEXPECTED_STATUS] for row in rows]
        parts.append(part)
        trials.append(_trial(number, count, "fail", model.now_s))
    return np.concatenate(parts), trials


@pytest.mark.parametrize("service_s", [0.02, 0.1, 0.4])
def test_a_cliff_rejects_exactly_when_its_places_are_taken(service_s: float) -> None:
    """With 8 accepted requests in flight the ninth is rejected; what never came back blurs it by a few in a hundred."""
    signs = signs_of(*_rows(Service(servers=8, room=8, service_s=service_s), (1, 9, 12, 16), seconds=40 * service_s))
    assert signs.separated_at == 8
    assert (signs.separation_ratio or 0) > 0.95


def test_a_quota_rejects_whatever_is_in_flight() -> None:
    """The number of requests in flight does not tell who is rejected, and the wall is called a quota."""
    rows, trials = _rows(Service(servers=100, service_s=0.1, quota_rps=200.0, reject_status=429), (1, 24, 30), 5.0)
    signs = signs_of(rows, trials)
    assert (signs.separation_ratio or 1) < 0.65
    wall = wall_of(_cliff("429"), endpoint(Hosting.MANAGED, instances=None), signs)
    assert (wall.kind, wall.confidence) == (WallKind.QUOTA, "medium")


def test_a_few_rejections_tell_nothing_apart() -> None:
    """Below twenty of a kind no ratio is given."""
    rows, trials = _rows(Service(servers=8, room=8, service_s=0.02), (1, 9), 0.2)
    assert signs_of(rows, trials).separation_ratio is None


def test_no_attempts_give_no_signs() -> None:
    """Absence is an answer."""
    assert signs_of(np.zeros(0, dtype=RECORD_DTYPE), []) == Signs()


def test_reasons_are_counted_from_the_headers_of_rejections() -> None:
    """What a 200 or a 424 says is no reason of a rejection."""
    rows, trials = _rows(Service(), (1,), 0.5)
    header = {"ms-azureml-model-error-reason": "too_many_pending_request"}
    failures = [{"label": "429", "headers": header}, {"label": "424", "headers": header}, {"label": "429"}]
    assert signs_of(rows, trials, failures).reasons == {"too_many_pending_request": 1}


def test_transfer_and_bytes_come_from_first_byte_to_last() -> None:
    """Two milliseconds each at the lightest load, and ten thousand bytes a second."""
    rows, trials = _rows(Service(spread=0.0), (1, 4), 2.0)
    rows["first_byte_ns"] = rows["done_ns"] - 2_000_000
    rows["received_bytes"] = 500
    signs = signs_of(rows, trials)
    assert signs.light_transfer_ms == pytest.approx(2.0)
    assert signs.received_bytes_rps == pytest.approx(4 * 20 * 500, rel=0.03)


def test_an_endpoint_with_one_level_has_no_wall_to_tell() -> None:
    """Both sides of the limit must have been measured."""
    assert wall_of(replace(_cliff(), levels=(level(8, 80.0),)), endpoint()).kind is WallKind.UNKNOWN
