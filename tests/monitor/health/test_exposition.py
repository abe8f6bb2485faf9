"""/metrics: the text that Prometheus reads, and a histogram whose buckets add up."""

from __future__ import annotations

from monitor.health.exposition import BUCKETS_S, Readings, Tally, exposition
from scoring.health import Health
from scoring.units import MS
from tests.monitor.health.worlds import health


def readings(**states: Health) -> Readings:
    return Readings(states, 1, {"a": 2}, {"a": 0}, {"webhook": 3}, 1)


def lines(tally: Tally, now: Readings) -> list[str]:
    return exposition(tally, now).splitlines()


def test_every_family_says_what_it_is_before_its_samples() -> None:
    """HELP and TYPE stand once for each family, and each sample belongs to the family above it."""
    tally = Tally()
    tally.count(health("a", Health.OK, 0.0, 30 * MS))
    family = ""
    for line in lines(tally, readings(a=Health.OK)):
        if line.startswith("# HELP "):
            family = line.split()[2]
        elif line.startswith("# TYPE "):
            assert line.split()[2] == family
        else:
            assert line.startswith(family)


def test_the_histogram_is_cumulative_and_ends_with_its_count() -> None:
    """Of 4, 30 and 40,000 ms, one is at 5 ms, two are at 50 ms and all below infinity; the sum is in seconds."""
    tally = Tally()
    for latency_ms in (4, 30, 40_000):
        tally.count(health("a", Health.OK, 0.0, latency_ms * MS))
    found = {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in lines(tally, readings(a=Health.OK))}
    name = 'redline_check_latency_seconds_bucket{endpoint="a",le='
    buckets = [int(found[f'{name}"{bound:g}"}}']) for bound in BUCKETS_S]
    assert buckets == [1, 1, 1, *[2] * (len(BUCKETS_S) - 3)]
    assert found[f'{name}"+Inf"}}'] == found['redline_check_latency_seconds_count{endpoint="a"}'] == "3"
    assert found['redline_check_latency_seconds_sum{endpoint="a"}'] == "40.034"


def test_one_state_of_an_endpoint_is_1() -> None:
    """The state that is proved, and no other."""
    found = [line for line in lines(Tally(), readings(a=Health.FAILED)) if line.startswith("redline_endpoint_state{")]
    assert [line for line in found if line.endswith(" 1")] == ['redline_endpoint_state{endpoint="a",state="FAILED"} 1']
    assert len(found) == len(Health)


def test_checks_are_counted_by_outcome() -> None:
    """Two bad and one good."""
    tally = Tally()
    for outcome in (Health.FAILED, Health.OK, Health.FAILED):
        tally.count(health("a", outcome, 0.0))
    found = lines(tally, readings(a=Health.OK))
    assert 'redline_checks_total{endpoint="a",state="FAILED"} 2' in found
    assert 'redline_checks_total{endpoint="a",state="OK"} 1' in found
