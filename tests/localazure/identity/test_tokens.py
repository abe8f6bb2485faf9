"""Tokens and roles, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.identity.roles import ML, ROLES, allow
from localazure.identity.tokens import Flaw, Tokens, claims_of, judged, signed

KEY = b"k" * 32
NOW_S = 1_800_000_000.0
LISTKEYS = f"{ML}/onlineEndpoints/listKeys/action"


def test_a_token_is_good_until_its_second_is_over() -> None:
    """A life of 20 s from a whole second: good at 19.9 s, refused at 20 s, to be renewed from 10 s on."""
    tokens = Tokens(KEY, life_s=20.0)
    token = tokens.issue("https://ml.azure.com", {"oid": "me"}, NOW_S)
    audiences = frozenset(("https://ml.azure.com",))
    assert (token.expires_s, token.refresh_s) == (NOW_S + 20, NOW_S + 10)
    assert tokens.flaw(token.text, audiences, NOW_S + 19.9) == claims_of(token.text, KEY)
    assert tokens.flaw(token.text, audiences, NOW_S + 20) is Flaw.EXPIRED


def test_an_audience_with_a_slash_is_the_same_audience() -> None:
    """`https://management.azure.com/` is what many clients ask for."""
    tokens = Tokens(KEY, life_s=20.0)
    token = tokens.issue("https://management.azure.com/", {}, NOW_S)
    assert isinstance(tokens.flaw(token.text, {"https://management.azure.com"}, NOW_S), dict)
    assert tokens.flaw(token.text, {"https://ml.azure.com"}, NOW_S) is Flaw.AUDIENCE


def test_only_tokens_issued_before_are_taken_back() -> None:
    """The one that follows is good, though it is of the same second."""
    tokens = Tokens(KEY, life_s=20.0)
    old = tokens.issue("a", {}, NOW_S)
    tokens.revoke_all()
    new = tokens.issue("a", {}, NOW_S)
    assert tokens.flaw(old.text, {"a"}, NOW_S) is Flaw.EXPIRED
    assert isinstance(tokens.flaw(new.text, {"a"}, NOW_S), dict)


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=4))
def test_what_was_signed_is_read_back(claims: dict[str, int | str]) -> None:
    """Whatever stands in it; another key signed nothing of it."""
    text = signed(claims, KEY)
    assert claims_of(text, KEY) == claims
    assert claims_of(text, b"other") is None


@given(st.text(max_size=60))
def test_any_text_is_judged(text: str) -> None:
    """Rubbish is malformed and no exception."""
    assert judged(text, KEY, {"a"}, NOW_S) is Flaw.MALFORMED


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_token_with_one_changed_character_is_malformed(position: int, change: int) -> None:
    """The seal covers header and body."""
    text = Tokens(KEY, life_s=9.0).issue("a", {"oid": "somebody"}, NOW_S).text
    position %= len(text)
    other = chr((ord(text[position]) + change) % 128)
    changed = text[:position] + other + text[position + 1 :]
    expected = text == changed
    assert isinstance(judged(changed, KEY, {"a"}, NOW_S), dict) is expected


@pytest.mark.parametrize(
    ("roles", "action", "allowed"),
    [
        (["reader"], f"{ML}/onlineEndpoints/read", True),
        (["reader"], LISTKEYS, False),
        (["data-scientist"], LISTKEYS, True),
        (["data-scientist"], LISTKEYS.upper(), True),
        (["data-scientist"], f"{ML}/listKeys/action", False),
        (["data-scientist"], f"{ML}/write", False),
        (["data-scientist"], f"{ML}/read", False),
        (["data-scientist", "reader"], f"{ML}/read", True),
        (["contributor"], "Microsoft.Authorization/roleAssignments/write", False),
        (["owner"], "Microsoft.Authorization/roleAssignments/write", True),
        (["monitoring-reader"], "Microsoft.Insights/metrics/read", True),
        (["none"], "Microsoft.Insights/metrics/read", False),
        ([], "Microsoft.Insights/metrics/read", False),
    ],
)
def test_a_role_allows_what_its_lists_say(roles: list[str], action: str, allowed: bool) -> None:
    """An action that matches, and that no not-action of the same role takes away."""
    assert allow(roles, action) is allowed


def test_every_role_has_azures_id() -> None:
    """But the one that is no role."""
    assert {name for name, role in ROLES.items() if not role.id} == {"none"}
