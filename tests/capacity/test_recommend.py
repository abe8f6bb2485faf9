"""capacity.recommend: decisions by table, and the safe operating point by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity.recommend import Word, decide, good_rps_at, recommend
from capacity.verdict import Client, Kind
from tests.capacity.verdicts import LEVELS, OPEN, UNFAIR, UNSURE, WIDE, endpoint, level, limit, verdict


@pytest.mark.parametrize(
    ("found", "users", "word", "sentence"),
    [
        (verdict(), 8, Word.GO, "carries 8 users, needs 8: 1×"),
        (verdict(), 5, Word.GO, "carries 8 users, needs 5: 1.6×"),
        (verdict(), 9, Word.NO_GO, "carries 8 users, needs 9: 0.88×"),
        (verdict(limits=(UNSURE,)), 6, Word.GO, "carries 8 users, needs 6: 1.33×"),
        (
            verdict(limits=(UNSURE,)),
            7,
            Word.GO_WITH_WARNINGS,
            "carries 8 users, needs 7: 1.14×; the limit is not confirmed: 0.3 % bad answers are possible",
        ),
        (
            verdict(limits=(WIDE,)),
            7,
            Word.GO_WITH_WARNINGS,
            "carries 8 users, needs 7: 1.14×; the 95 % interval starts at 6",
        ),
        (verdict(limits=(WIDE,)), 6, Word.GO, "carries 8 users, needs 6: 1.33×"),
        (
            verdict(limits=(WIDE,)),
            10,
            Word.NOT_ENOUGH_DATA,
            "carries 8 users, needs 10: 0.8×; the 95 % interval is 6 to 10",
        ),
        (verdict(limits=(WIDE,)), 11, Word.NO_GO, "carries 8 users, needs 11: 0.72×"),
        (verdict(Kind.AT_LEAST, (OPEN,)), 8, Word.GO, "carries 8 users, needs 8: 1×"),
        (
            verdict(Kind.AT_LEAST, (OPEN,)),
            20,
            Word.NOT_ENOUGH_DATA,
            "carries 8 users, needs 20: 0.4×; more was not measured",
        ),
        (verdict(interrupted=True), 4, Word.GO_WITH_WARNINGS, "carries 8 users, needs 4: 2×; the run was interrupted"),
        (verdict(Kind.BUDGET_SPENT), 4, Word.GO_WITH_WARNINGS, "carries 8 users, needs 4: 2×; because"),
        (verdict(Kind.BUDGET_SPENT), 9, Word.NO_GO, "carries 8 users, needs 9: 0.88×"),
        (
            verdict(Kind.BUDGET_SPENT, (WIDE,)),
            7,
            Word.NOT_ENOUGH_DATA,
            "carries 8 users, needs 7: 1.14×; because",
        ),
        (verdict(Kind.NOT_STEADY), 4, Word.GO_WITH_WARNINGS, "carries 8 users, needs 4: 2×; because"),
        (
            verdict(Kind.NOT_STEADY),
            9,
            Word.NOT_ENOUGH_DATA,
            "carries 8 users, needs 9: 0.88×; because",
        ),
        (
            verdict(Kind.CLIENT_LIMITED, client=UNFAIR),
            4,
            Word.GO_WITH_WARNINGS,
            "carries 8 users, needs 4: 2×; because",
        ),
        (verdict(client=UNFAIR), 4, Word.NOT_ENOUGH_DATA, "no fair measurement: hub lag 41 ms"),
        (
            verdict(Kind.MISSED_AT_ZERO_LOAD, (limit(at=0, low=0, high=0),)),
            1,
            Word.NO_GO,
            "rejected<=0.1% is missed at the lowest load",
        ),
        (verdict(Kind.NOT_A_LOAD_PROBLEM, ()), 1, Word.NO_GO, "fails at any load: because"),
        (verdict(Kind.BUDGET_SPENT, ()), 1, Word.NOT_ENOUGH_DATA, "what it carries in users was not measured"),
    ],
)
def test_the_decision_for_a_number_of_users(found, users, word, sentence):
    """Each row is a verdict, a need, the word and the sentence that a person reads."""
    decision = decide(found, None, users)
    assert (decision.word, decision.sentence) == (word, sentence)


@pytest.mark.parametrize(
    ("found", "rps", "word", "sentence"),
    [
        (verdict(), 50.0, Word.GO, "carries 80 requests/s, needs 50: 1.6×"),
        (verdict(), 80.5, Word.NO_GO, "carries 80 requests/s, needs 80.5: 0.99×"),
        (
            verdict(limits=(WIDE,)),
            70.0,
            Word.GO_WITH_WARNINGS,
            "carries 80 requests/s, needs 70: 1.14×; the 95 % interval starts at 60",
        ),
        (
            verdict(Kind.AT_LEAST, (OPEN,)),
            500.0,
            Word.NOT_ENOUGH_DATA,
            "carries 80 requests/s, needs 500: 0.16×; more was not measured",
        ),
        (verdict(levels=()), 1.0, Word.NOT_ENOUGH_DATA, "what it carries in requests/s was not measured"),
        (
            verdict(levels=(level(1, 10.0), level(4, 90.0), level(8, 80.0))),
            85.0,
            Word.GO,
            "carries 90 requests/s, needs 85: 1.05×",
        ),
    ],
)
def test_the_decision_for_a_rate(found, rps, word, sentence):
    """What is completed within the limit counts; fewer users may complete more."""
    decision = decide(found, rps, None)
    assert (decision.word, decision.sentence) == (word, sentence)


def test_no_need_no_decision():
    """Without a need there is nothing to decide."""
    assert decide(verdict(), None, None) is None


def test_of_two_needs_the_worse_answer_counts():
    """50 requests/s are carried and 20 users are not: NO-GO."""
    assert decide(verdict(), 50.0, 20).word is Word.NO_GO


@given(
    st.sampled_from(list(Kind)),
    st.integers(0, 20),
    st.integers(0, 20),
    st.none() | st.integers(0, 20),
    st.booleans(),
    st.booleans(),
    st.integers(1, 40),
)
def test_go_is_never_said_beyond_the_low_end_or_without_a_fair_client(kind, low, more, above, confirmed, valid, need):
    """Whatever the verdict, GO needs a low end that carries the need, a fair client, and a search that ended."""
    high = None if above is None else low + more + above
    row = limit(at=low + more, low=low, high=high, confirmed=confirmed)
    found = verdict(kind, (row,), client=Client(valid, ()))
    decision = decide(found, None, need)
    if decision.word is Word.GO:
        assert low >= need
        assert valid
        assert kind in (Kind.FOUND, Kind.AT_LEAST)
        assert confirmed or low + more >= 1.2 * need
    if low >= need and valid and kind in (Kind.FOUND, Kind.AT_LEAST):
        assert decision.word in (Word.GO, Word.GO_WITH_WARNINGS)


@pytest.mark.parametrize(
    ("users", "expected", "why"),
    [
        (0, 0.0, "nobody, nothing"),
        (1, 10.0, "as measured"),
        (6, 60.0, "half-way between 4 and 8"),
        (8.5, 80.5, "half-way between 8 and 9"),
        (10, None, "beyond what was measured"),
    ],
)
def test_rates_are_read_between_levels_and_not_beyond(users, expected, why):
    """Straight lines between the measured levels."""
    assert good_rps_at(LEVELS, users) == expected, why


def test_the_safe_operating_point_is_three_quarters_of_what_is_vouched_for():
    """Limit 8: 6 users, which complete 60 requests/s; both with their reason."""
    advised = recommend(verdict(), endpoint())
    assert (advised.safe_users, advised.safe_rps) == (6, 60.0)
    assert "three quarters of 8, the low end of the interval of `rejected<=0.1%`" in advised.why[0]
    assert advised.why[1].startswith("60 requests/s")


@pytest.mark.parametrize(("low", "safe"), [(1, 1), (2, 1), (3, 2), (4, 3), (100, 75)])
def test_one_user_is_the_least_that_can_be_safe(low, safe):
    """Three quarters rounded down, and at least 1."""
    assert recommend(verdict(limits=(limit(at=low, low=low, high=low),)), endpoint()).safe_users == safe


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (verdict(Kind.NOT_A_LOAD_PROBLEM, ()), "because"),
        (verdict(Kind.MISSED_AT_ZERO_LOAD, (limit(at=0, low=0, high=0),)), "because"),
        (verdict(Kind.NOT_STEADY), "because"),
        (verdict(Kind.BUDGET_SPENT, (limit(at=3, low=0, high=9),)), "because"),
        (verdict(client=UNFAIR), "no fair measurement: hub lag 41 ms"),
    ],
)
def test_without_a_limit_to_rest_on_there_is_no_advice(found, reason):
    """No numbers at all, and the reason."""
    advised = recommend(found, endpoint(), 25.0, 4)
    assert advised.why == (f"no settings are advised: {reason}",)
    assert (advised.safe_users, advised.settings, advised.paste, advised.sizing) == (None, {}, {}, ())


def test_a_client_at_its_end_still_vouches_for_the_levels_below():
    """The safe point stands, with the remedy."""
    advised = recommend(verdict(Kind.CLIENT_LIMITED, (OPEN,), client=UNFAIR), endpoint())
    assert advised.safe_users == 6
    assert any("more machines" in why for why in advised.why)
