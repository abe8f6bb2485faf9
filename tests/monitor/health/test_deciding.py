"""When an incident opens, what is told of it, and when it is over: each rule by itself."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from monitor.health.deciding import Notice, Now, Policy, Seen, Standing, decided
from monitor.health.dependencies import is_blocked
from scoring.health import Health

MIN_S = 60.0
POLICY = Policy(stale_s=None)
OUTCOMES = {"o": Health.OK, "d": Health.DEGRADED, "f": Health.FAILED, "u": Health.UNKNOWN}


def told(
    letters: str,
    policy: Policy = POLICY,
    *,
    every_s: float = MIN_S,
    quiet: Iterable[int] = (),
    blocked: Iterable[int] = (),
    standing: Standing | None = None,
) -> tuple[list[tuple[int, str]], list[Notice], Standing]:
    """What is told at which observation, one letter each: o, d, f, u; and `.` for time that passes alone."""
    now_standing = standing or Standing("one")
    notices, places = [], []
    for place, letter in enumerate(letters):
        seen = None if letter == "." else Seen(OUTCOMES[letter], f"reason_{letter}")
        now = Now(1_000_000 + place * every_s, place in set(quiet), place in set(blocked))
        now_standing, notice = decided(policy, now_standing, seen, now)
        if notice is not None:
            notices.append(notice)
            places.append((place, notice.kind.value))
    return places, notices, now_standing


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        pytest.param("oooo", [], id="a well endpoint is no news"),
        pytest.param("ofooo", [], id="one failure at night pages nobody"),
        pytest.param("of" * 9 + "o", [], id="single failures between good answers page nobody"),
        pytest.param("off", [(2, "fire")], id="a total outage is found within two probes"),
        pytest.param("ff", [(1, "fire")], id="also when nothing was seen before"),
        pytest.param("offff", [(2, "fire")], id="an outage is told once"),
        pytest.param("offo", [(2, "fire")], id="one good answer is no recovery"),
        pytest.param("offoo", [(2, "fire"), (4, "resolve")], id="two good answers are"),
        pytest.param("ffofoo", [(1, "fire"), (5, "resolve")], id="a failure between them begins the row anew"),
        pytest.param("ffouoo", [(1, "fire"), (5, "resolve")], id="so does no data: it is not OK"),
        pytest.param("fuf", [(2, "fire")], id="no data does not end a row of failures"),
        pytest.param("uu", [], id="two times no data are not told"),
        pytest.param("uuu", [(2, "fire")], id="three times no data are an incident"),
        pytest.param("dd", [], id="degraded twice is not told"),
        pytest.param("ddd", [(2, "fire")], id="degraded three times is"),
        pytest.param("dddff", [(2, "fire"), (4, "fire")], id="what gets worse is told again"),
        pytest.param("ffdddff", [(1, "fire")], id="what gets better and worse again is not"),
        pytest.param("dfd", [(2, "fire")], id="a failure counts as degraded as well"),
    ],
)
def test_rows_open_and_close_incidents(letters: str, expected: list[tuple[int, str]]) -> None:
    """Each row of observations says what is told, and at which of them."""
    assert told(letters)[0] == expected


def test_all_notices_of_an_incident_have_its_key_and_numbers_that_count() -> None:
    """Fire, worse and resolve of one incident share the key; the next incident has another."""
    _, notices, _ = told("dddffoo" + "offoo")
    assert [notice.number for notice in notices] == [1, 2, 3, 1, 2]
    assert len({notice.key for notice in notices[:3]}) == 1
    assert len({notice.key for notice in notices}) == 2


def test_a_reminder_comes_after_its_time_and_no_sooner() -> None:
    """With 10 minutes between reminders and a check a minute, the 11th check after the fire reminds."""
    policy = Policy(remind_s=10 * MIN_S, stale_s=None)
    assert told("f" * 24, policy)[0] == [(1, "fire"), (11, "remind"), (21, "remind")]


def test_a_reminder_while_all_seems_well_again_names_the_old_reason() -> None:
    """A flapping endpoint in its calm time is not yet OK, and the reminder does not say `ok`."""
    policy = Policy(remind_s=300.0, stale_s=None)
    places, notices, _ = told("ffoo" * 3 + "o" * 4, policy)
    assert places[-1] == (14, "remind")  # five minutes after the third fire, which came with the tenth check
    assert notices[-1].reason == "reason_f"


def test_a_degraded_endpoint_is_not_told_where_that_is_not_wanted() -> None:
    """`degraded = false` leaves DEGRADED to the reports; FAILED is told all the same, and DEGRADED is its end."""
    policy = Policy(tells_degraded=False, stale_s=None)
    assert told("ddddff", policy)[0] == [(5, "fire")]
    assert told("ffdd", policy)[0] == [(1, "fire"), (3, "resolve")]
    assert told("dddd", policy)[2].state is Health.DEGRADED


def test_failing_for_a_time_opens_before_the_count() -> None:
    """With fail_after = 10 and fail_for = 3 minutes, the fourth failure in a row is 3 minutes after the first."""
    policy = Policy(fail_after_count=10, degraded_after_count=99, unknown_after_count=99, fail_for_s=180, stale_s=None)
    assert told("fffff", policy)[0] == [(3, "fire")]
    assert told("f....", policy)[0] == []


def test_a_gap_begins_rows_anew() -> None:
    """After our own downtime one failure is one failure, whatever was before."""
    _, _, before = told("of", Policy(stale_s=300))
    after = Now(1_000_000 + 10_000.0)
    standing, notice = decided(Policy(stale_s=300), before, Seen(Health.FAILED, "x"), after)
    assert (notice, standing.failed.count) == (None, 1)


@pytest.mark.parametrize(
    ("letters", "quiet", "expected"),
    [
        pytest.param("offoo.", range(1, 5), [], id="what fails and recovers inside is never told"),
        pytest.param("offfff", range(1, 4), [(4, "fire")], id="what still fails at the end is told once"),
        pytest.param("off.", range(1, 3), [(3, "fire")], id="at the end, without waiting for a check"),
        pytest.param("ffoooo", range(2, 5), [(1, "fire"), (5, "resolve")], id="a recovery inside is told at the end"),
        pytest.param("ffooffff", range(2, 6), [(1, "fire")], id="an incident that is on again at the end goes on"),
    ],
)
def test_a_state_change_across_maintenance_is_told_once(
    letters: str, quiet: range, expected: list[tuple[int, str]]
) -> None:
    """Nothing is told inside, and afterwards what is true then."""
    assert told(letters, quiet=quiet)[0] == expected


def test_an_incident_that_began_in_maintenance_is_dated_from_its_end() -> None:
    """Downtime inside the window is nobody's incident."""
    _, notices, _ = told("offfff", quiet=range(1, 4))
    assert notices[0].opened_s == 1_000_000 + 3 * MIN_S


def test_flapping_is_bounded_and_its_end_is_told() -> None:
    """From the third incident within the hour on, only a calm quarter of an hour is the end."""
    flaps = "ffoo" * 10
    places, notices, _ = told(flaps + "o" * 15)
    kinds = [kind for _, kind in places]
    assert kinds == ["fire", "resolve", "fire", "resolve", "fire", "resolve"]
    assert places[-1][0] == len(flaps) - 2 + 15  # the row of good answers began with the last two of the flapping
    assert notices[-1].state is Health.OK


def test_flapping_that_ends_in_failure_leaves_the_incident_open() -> None:
    """The last thing that was told is that it fails."""
    places, _, standing = told("ffoo" * 4 + "f" * 30)
    assert places[-1][1] == "fire"
    assert standing.incident is not None


def test_a_clock_set_back_sends_no_reminder_and_keeps_the_next() -> None:
    """An hour back: the next reminder counts from there."""
    policy = Policy(remind_s=600.0, stale_s=None)
    _, _, standing = told("ff", policy)
    standing, notice = decided(policy, standing, None, Now(1_000_000 - 3_600))
    assert notice is None
    standing, notice = decided(policy, standing, None, Now(1_000_000 - 3_600 + 599))
    assert notice is None
    _, notice = decided(policy, standing, None, Now(1_000_000 - 3_600 + 600))
    assert notice is not None


def test_what_is_blocked_opens_nothing_but_still_closes() -> None:
    """A failure that its cause explains is not told; the end of one that was told is."""
    assert told("ffff", blocked=range(4))[0] == []
    assert told("ffoo", blocked=range(2, 4))[0] == [(1, "fire"), (3, "resolve")]


def test_a_cause_that_fails_or_has_not_been_seen_since_blocks() -> None:
    """The cause's own check may come later than the endpoint's: it is waited for, but not for ever."""
    well, failing = told("o")[2], told("f")[2]
    _, _, late = told("..f")
    at_s = 1_000_000 + 2 * MIN_S
    assert is_blocked(late, [failing], at_s, 300)
    assert is_blocked(late, [well], at_s, 300)  # the cause was well two minutes before the first failure
    assert not is_blocked(late, [well], at_s + 300, 300)
    assert not is_blocked(late, [told("...o")[2]], at_s + MIN_S, 300)
    assert not is_blocked(late, [Standing("never seen")], at_s, 300)
