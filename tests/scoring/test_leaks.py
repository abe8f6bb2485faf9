"""Leaks: what is found, as what, how often, and that its markers miss nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.leaks import MARKERS, Found, leaks_in, may_hold_payload, may_leak, payloads_in, sha256_prefix
from scoring.redact import redact
from scoring.rotation import ROTATE
from tests.scoring.secret_forms import FORMS, HEADERS, JWT, KEY, KEY64, ML_KEY
from tests.scoring.test_redact_bounds import TEXTS

EXTRACT = Path(__file__).parents[1] / "data" / "logs" / "seed_scoring_extract.log"
TRAFFIC = (
    b'2026-01-01 10:00:00,618 I [784] gunicorn.access - 127.0.0.1 - - "POST /score HTTP/1.1" 200 18 "-" "curl/8"\n'
)
# Taken out, and no finding: an identifier, and a token that nothing but its length tells from a word.
UNREPORTED = ("App Insights connection string", "Azure DevOps token of 52 letters")


def test_the_lessons_extract_leaks_a_key_and_a_payload() -> None:
    """The header block of the old service log holds a bearer key, its second line the data that was scored."""
    text = EXTRACT.read_bytes()
    [key] = leaks_in(text)
    assert (key.type, key.count) == ("bearer_token", 1)
    assert text[key.start : key.start + len(key.value)].decode() == key.value
    assert key.start > text.index(b"Authorization: Bearer ")
    [payload] = payloads_in(text)
    assert payload.type == "payload_data"
    assert payload.value.startswith("{'data': [{'instant': 1,")
    assert payload.value.endswith("}]}")


TYPES = (
    ("Authorization: Bearer " + KEY, "bearer_token", KEY),
    ("Authorization: Bearer " + JWT, "jwt", JWT),
    ("Authorization: Basic bWU6cGFzc3dvcmQ5", "basic_auth", "bWU6cGFzc3dvcmQ5"),
    ("Authorization: " + KEY, "authorization_header", KEY),
    ("using " + ML_KEY, "azure_ml_key", ML_KEY),
    ('{"primaryKey": "' + KEY + '"}', "azure_ml_key", KEY),
    ("AccountName=a;AccountKey=abcdefgh12345678;X=y", "storage_account_key", "abcdefgh12345678"),
    ("using " + KEY64, "azure_key", KEY64),
    ("Endpoint=sb://x/;SharedAccessKeyName=R;SharedAccessKey=" + KEY + "=", "shared_access_key", KEY + "="),
    ("https://x/c?sv=2022&sig=abc%2Fdef123%3D", "sas_signature", "abc%2Fdef123%3D"),
    ("AZURE_CLIENT_SECRET=" + KEY, "client_secret", KEY),
    ("Server=x;Password=hunter2hunter2;Encrypt=True", "connection_string_password", "hunter2hunter2"),
    ('{"password": "hunter2hunter2"}', "password", "hunter2hunter2"),
    ("https://me:hunter2hunter2@x/", "url_password", "hunter2hunter2"),
    ("x-api-key: " + KEY, "api_key_header", KEY),
    ("Ocp-Apim-Subscription-Key: " + KEY, "api_key_header", KEY),
    ("x-functions-key: " + KEY, "functions_key", KEY),
    ("OPENAI_API_KEY=" + KEY, "api_key", KEY),
    ("Cookie: sid=" + KEY, "cookie", "sid=" + KEY),
    ("ghp_" + KEY + "abcd", "github_token", "ghp_" + KEY + "abcd"),
    ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "private_key", None),
)


@pytest.mark.parametrize(("text", "type_", "value"), TYPES)
def test_each_secret_has_its_most_specific_type_and_its_bare_value(text: str, type_: str, value: str | None) -> None:
    """The value is what would be typed to use it, without scheme, quotes or separators."""
    [found] = leaks_in(text)
    assert found.type == type_
    assert value is None or found.value == value
    assert text[found.start :].startswith(found.value)


@pytest.mark.parametrize(("name", "text", "secret"), FORMS, ids=[form[0] for form in FORMS])
def test_every_planted_form_is_found_as_redaction_finds_it(name: str, text: str, secret: str) -> None:
    """What redaction takes out is a finding, the same in text and in bytes; in what is left there is none."""
    found = leaks_in(text)
    assert bool(found) == (not name.startswith(UNREPORTED))
    assert leaks_in(redact(text)) == []
    assert [(one.type, one.value, one.count) for one in leaks_in(text.encode())] == [
        (one.type, one.value, one.count) for one in found
    ]


def test_a_value_is_reported_once_with_its_count_and_first_place() -> None:
    """Three headers with one key are one leak, counted three times."""
    text = f"x\nAuthorization: Bearer {KEY}\nAuthorization: Bearer {KEY}\nAuthorization: Bearer {KEY}\n"
    [found] = leaks_in(text)
    assert (found.count, found.start) == (3, text.index(KEY))


def test_a_value_seen_as_two_types_is_reported_as_the_more_specific() -> None:
    """The field before the header says less than the header."""
    [found] = leaks_in(f"token={KEY}\nAuthorization: Bearer {KEY}\n")
    assert (found.type, found.count) == ("bearer_token", 2)


def test_places_of_bytes_are_bytes() -> None:
    """Characters of several bytes before the secret do not shift its place, and its value is decoded."""
    text = "größe €: password='geheim-größe-42'"
    [found] = leaks_in(text.encode())
    assert found.value == "geheim-größe-42"
    assert text.encode()[found.start :].startswith(b"geheim")


def test_the_value_is_in_no_repr() -> None:
    """A finding that is printed by mistake shows no secret."""
    found = leaks_in(f"Authorization: Bearer {KEY}")
    assert KEY not in repr(found)
    assert KEY not in str(found[0])


def test_the_prefix_of_the_hash_is_twelve_digits_of_its_sha256() -> None:
    """The well-known hash of nothing, one by the library, and a lone surrogate that cannot be encoded strictly."""
    assert sha256_prefix("") == "e3b0c44298fc"
    assert sha256_prefix("größe") == hashlib.sha256("größe".encode()).hexdigest()[:12]
    assert len(sha256_prefix("\ud800")) == 12


@pytest.mark.parametrize("type_", sorted({found.type for _, text, _ in FORMS for found in leaks_in(text)}))
def test_each_type_says_what_to_rotate_in_a_sentence(type_: str) -> None:
    """Advice begins with a capital, ends with a full stop and names no secret."""
    advice = next(found.rotate for _, text, _ in FORMS for found in leaks_in(text) if found.type == type_)
    assert advice[0].isupper()
    assert advice.endswith(".")


def test_the_advice_for_keys_of_endpoints_can_be_typed() -> None:
    """The command of Azure's own tool."""
    assert "`az ml online-endpoint regenerate-keys -n NAME --key-type primary`" in ROTATE["azure_ml_key"]


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_a_text_with_a_leak_has_a_marker(text: str) -> None:
    """Neither the published markers nor the quick look miss a text in which something is found."""
    chunk = text.encode("utf-8", "surrogatepass")
    if leaks_in(text) or leaks_in(chunk):
        assert any(marker in chunk.lower() for marker in MARKERS)
        assert may_leak(chunk)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.integers(0, 3))
def test_a_long_chunk_is_searched_as_a_short_one_is(text: str, shift: int) -> None:
    """Between kilobytes of traffic, at an even or an odd place, the same leaks are found."""
    chunk = b"-" * shift + TRAFFIC * 40 + text.encode("utf-8", "surrogatepass") + b"\n" + TRAFFIC
    assert may_leak(chunk) == may_leak(text.encode("utf-8", "surrogatepass"))
    if not may_leak(chunk):
        assert leaks_in(chunk.decode("latin-1")) == []


@pytest.mark.parametrize(("name", "text", "secret"), FORMS[::7], ids=[form[0] for form in FORMS[::7]])
def test_a_leak_is_found_in_the_middle_of_traffic(name: str, text: str, secret: str) -> None:
    """The quick look at long chunks lets no planted form pass."""
    chunk = TRAFFIC * 60 + text.encode() + b"\n" + TRAFFIC * 60
    assert bool(leaks_in(chunk)) == (not name.startswith(UNREPORTED))


def test_clean_traffic_has_no_markers() -> None:
    """Access lines and the server's own lines pass without a closer look."""
    assert not may_leak(TRAFFIC * 100)
    assert not may_hold_payload(TRAFFIC * 100)
    assert not may_leak(b"2026-01-01 10:00:00,617 I [784] azmlinfsrv - POST /score 200 0.984ms 18\n" * 100)


@pytest.mark.parametrize("header", HEADERS)
def test_names_of_headers_are_found_in_any_case(header: str) -> None:
    """HTTP headers have no case."""
    for name in (header.upper(), header.lower(), header.title()):
        assert isinstance(leaks_in(f"{name}: {KEY}")[0], Found)
