"""capacity.advice, seen through recommend: each setting by hand, each with its reason."""

from dataclasses import replace

import pytest

from capacity.recommend import recommend
from capacity.sizing import rejected_ratio
from scoring.endpoint import Hosting
from tests.capacity.verdicts import LEVELS, OPEN, endpoint, level, limit, verdict


@pytest.mark.parametrize(
    ("hosting", "values", "row", "first", "sentence"),
    [
        ("managed", {}, limit(), 9, "as configured: rejections begin above the 8 requests"),
        ("aks", {}, limit(at=4, low=4, high=4), 5, "as configured: rejections begin above the 4 requests"),
        ("managed", {}, limit("rejected<=1%", at=9, low=9, high=9), 9, "as configured: rejections begin above the 8"),
        ("managed", {"max_concurrent": 4}, limit(), 9, "observed 8, settings say 16: others use the endpoint"),
        ("aks", {}, limit(), 9, "observed 8, settings say 4: the front end queues"),
        ("managed", {}, OPEN, None, "the settings let in 8, and no rejection was seen up to 9 users"),
        ("managed", {"max_concurrent": 9}, OPEN, 9, "rejections begin somewhere above 8 users"),
    ],
)
def test_what_was_admitted_is_compared_with_what_the_settings_promise(hosting, values, row, first, sentence):
    """2 * M * I on managed endpoints, M * I on AKS; three ways to differ."""
    found = verdict(limits=(row,), first_rejected_users=first)
    advised = recommend(found, endpoint(Hosting(hosting), **values))
    assert any(sentence in why for why in advised.why), advised.why


def test_a_latency_goal_that_ends_before_the_slots_do_asks_for_fewer_slots():
    """16 are let in and p95 holds to 9: 2 slots on each of 2 instances let in 8."""
    found = verdict(limits=(limit("p95<=300ms", at=10, low=9, high=11), limit(at=16, low=16, high=16)))
    advised = recommend(found, endpoint(max_concurrent=4))
    assert advised.settings["max_concurrent_requests_per_instance"] == "2"
    assert advised.settings["WORKER_COUNT"] == "2"
    assert any("2 instead of 4: `p95<=300ms` holds up to 9 users, yet 16 are let in" in why for why in advised.why)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"max_concurrent": None}, "max_concurrent_requests_per_instance is not known: give max_concurrent"),
        ({"instances": None}, "as configured, not judged, for `instances` is not known"),
    ],
)
def test_what_is_not_known_is_said_and_not_guessed(values, sentence):
    """Missing settings are named with the key that would supply them."""
    assert any(sentence in why for why in recommend(verdict(), endpoint(**values)).why)


def test_replicas_for_a_rate_come_from_the_queueing_model_with_the_servers_own_time():
    """100 requests/s of 20 ms are 2 erlangs: 2 replicas of 2 slots and 2 places reject 1/183, 3 suffice."""
    levels = tuple(replace(row, server_p50_ms=20.0) for row in LEVELS)
    advised = recommend(verdict(levels=levels), endpoint(), 100.0)
    (sized,) = advised.sizing
    assert (sized.service_s, sized.concurrency, sized.target_rps) == (0.02, 2, 100.0)
    assert rejected_ratio(6, 2.0, 6) <= 0.001 < rejected_ratio(4, 2.0, 4)
    assert (sized.replicas, advised.settings["instance_count"]) == (3, "3")
    assert any("with 2, as measured, 0.55 % of 100 requests/s" in why for why in advised.why)


@pytest.mark.parametrize(
    ("levels", "service_s", "why"),
    [
        ((level(1, 10.0, server_p50_ms=20.0), level(8, 80.0, server_p50_ms=30.0)), 0.030, "slots share a CPU"),
        ((level(1, 10.0, server_p50_ms=20.0), level(9, 80.0, server_p50_ms=30.0)), 0.020, "9 is beyond the limit"),
        ((level(1, 10.0, 50.0),), 0.050, "only the client's latency is known"),
        ((level(1, 100.0, 10.0), level(8, 80.0, 99.0)), 0.050, "4 slots complete 80 a second"),
        ((level(1, 10.0, 50.0, in_flight_mean=6.0),), 0.060, "the mean is 6.0 * 10 s / 1000 answers"),
    ],
)
def test_the_service_time_is_the_mean_time_a_slot_is_taken(levels, service_s, why):
    """The server's time where it is told, raised to what full slots show and to the mean."""
    (sized,) = recommend(verdict(levels=levels), endpoint(), 25.0).sizing
    assert sized.service_s == pytest.approx(service_s), why


def test_replicas_for_users_are_in_proportion_to_what_was_carried():
    """2 instances carried 8: 20 users take 5."""
    assert recommend(verdict(), endpoint(), None, 20).settings["instance_count"] == "5"
    unknown = recommend(verdict(), endpoint(instances=None), None, 20)
    assert "instance_count" not in unknown.settings
    assert any("replicas for 20 users are not known: give instances" in why for why in unknown.why)


@pytest.mark.parametrize(
    ("hosting", "p999_ms", "expected", "sentence"),
    [
        ("managed", 400.0, "5000", "Azure's default is enough"),
        ("managed", 2_510.0, "5100", "rounded up"),
        ("managed", 100_000.0, "180000", "more than Azure allows"),
        ("kubernetes", 100_000.0, "200000", "rounded up"),
        ("aks", 400.0, "60000", "Azure's default is enough"),
    ],
)
def test_the_time_out_is_twice_the_slow_answers_within_azures_bounds(hosting, p999_ms, expected, sentence):
    """5 s by default (v2) or 60 s (v1), at most 180 s (managed) or 300 s (Kubernetes)."""
    found = verdict(levels=(level(8, 80.0, p999_ms=p999_ms), level(9, 81.0, p999_ms=1e6)))
    advised = recommend(found, endpoint(Hosting(hosting)))
    name = "scoring_timeout_ms" if hosting == "aks" else "request_timeout_ms"
    assert advised.settings[name] == expected
    assert any(why.startswith(f"{name} {expected}: twice the p99.9") and sentence in why for why in advised.why)


def test_a_time_out_shorter_than_the_answers_is_named():
    """Configured 100 ms, twice the p99.9 of 88 ms needed."""
    advised = recommend(verdict(), endpoint(request_timeout_ns=100_000_000))
    assert any("the settings' 100 ms is less" in why for why in advised.why)


@pytest.mark.parametrize(
    ("hosting", "statuses"),
    [("managed", "429 only"), ("aks", "503 only"), ("kubernetes", "503 only"), (None, "429 and 503")],
)
def test_clients_retry_only_what_was_rejected(hosting, statuses):
    """429 on managed endpoints, 503 on the others, both where the hosting is not known."""
    advised = recommend(verdict(), endpoint(hosting and Hosting(hosting)))
    assert advised.settings["client retry policy"].startswith(statuses)


@pytest.mark.parametrize(
    ("hosting", "sentence"),
    [("aci", "ACI runs one container"), ("local", "no Azure setting"), (None, "give --hosting")],
)
def test_a_hosting_without_replicas_gets_general_advice_only(hosting, sentence):
    """No settings to paste, and the reason why not."""
    advised = recommend(verdict(), endpoint(hosting and Hosting(hosting)), 25.0)
    assert advised.paste == {}
    assert advised.sizing == ()
    assert any(sentence in why for why in advised.why)


@pytest.mark.parametrize("hosting", ["managed", "aks", "kubernetes"])
def test_every_number_in_the_settings_stands_in_a_reason(hosting):
    """No setting without its why."""
    advised = recommend(verdict(), endpoint(Hosting(hosting)), 25.0)
    for name, value in advised.settings.items():
        if name != "client retry policy":
            assert any(value in why for why in advised.why), name
