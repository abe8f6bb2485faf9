"""What an answer of the token issuer means, in one line and with something to type."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.identity.failures import Signer, failure_of
from scoring.identity.refusals import refusal, said

ENTRA = Signer("environment", "environment (AZURE_CLIENT_SECRET)", "https://login.microsoftonline.com", "t-1", "c-1")
TRACE = " Trace ID: 551ba413 Correlation ID: 16daba92 Timestamp: 2026-11-23 04:38:28Z"


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("AADSTS7000215: Invalid client secret provided.", "the client secret is wrong", "--id c-1 --append"),
        ("AADSTS7000222: The provided client secret keys are expired.", "has expired", "credential reset"),
        ("AADSTS700016: Application with identifier 'c-1' was not found", "not known in this tenant", "--id c-1"),
        ("AADSTS90002: Tenant 't-1' not found.", "the tenant is not known", "az account show"),
        ("AADSTS700027: Client assertion contains an invalid signature.", "not registered", "--cert"),
        ("AADSTS700024: Client assertion is not within its valid time range.", "the clocks differ", "timedatectl"),
        ("AADSTS700213: No matching federated identity record", "assertion's subject", "federated-credential list"),
        ("AADSTS500011: The resource principal named x was not found", "another cloud's", "cloud ="),
        ("AADSTS53003: Access has been blocked", "conditional-access policy", "administrator"),
        ("AADSTS50076: Due to a configuration change", "multi-factor", "az login"),
        ("AADSTS700082: The refresh token has expired", "the sign-in has expired", "az login"),
        ("AADSTS70020: The code has expired", "not entered in time", "again"),
    ],
)
def test_each_refusal_has_its_own_line(text: str, words: str, hint: str) -> None:
    """The code is kept, so that it can be looked up; Microsoft's paragraph is not."""
    told = failure_of(ValueError(f"Authentication failed: {text}{TRACE}"), ENTRA)
    assert words in told.what
    assert re.search(r"\(AADSTS\d+\)$", told.what)
    assert hint in told.hint
    assert "Trace" not in told.what + told.hint


def test_a_code_that_is_not_in_the_table_keeps_microsoft_s_sentence() -> None:
    """What nobody foresaw is told in Microsoft's words, with where they are explained."""
    told = refusal(f"AADSTS999999: The moon is in the wrong house.{TRACE}")
    assert told == (
        "The moon is in the wrong house (AADSTS999999)",
        "https://login.microsoftonline.com/error?code=999999",
    )


def test_a_text_without_a_code_is_no_refusal() -> None:
    """A network error that names no code is not taken for an answer."""
    assert refusal("connection refused") is None


def test_the_cause_is_looked_for_behind_what_wraps_it() -> None:
    """Libraries wrap the answer in their own exceptions; the code inside is found."""
    wrapped = RuntimeError("discovery failed")
    wrapped.__cause__ = ValueError("AADSTS90002: Tenant 'x' not found.")
    assert "the tenant is not known" in failure_of(wrapped, ENTRA).what


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer", "certificate of login.microsoftonline.com"),
        ("NameResolutionError: Failed to resolve", "has no address"),
        ("OIDC Discovery failed on https://x. HTTP status: 404", "knows no tenant `t-1`"),
        ("[X509: NO_CERTIFICATE_OR_CRL_FOUND]", "trusted certificates holds none"),
    ],
)
def test_what_broke_on_the_way_is_not_blamed_on_the_credential(text: str, words: str) -> None:
    """Network, TLS and discovery have lines of their own."""
    assert words in failure_of(ValueError(text), ENTRA).what


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("managed-identity", "authentication unavailable, no response from the IMDS endpoint.", "no machine of Azure"),
        (
            "managed-identity",
            "no response from the IMDS endpoint. Token request error: (invalid_request) Identity not found",
            "no such identity is assigned",
        ),
        ("managed-identity", "Token request error: (invalid_scope) 500, None", "gives no token"),
        ("cli", "Azure CLI not found on path", "not installed"),
        ("cli", "Please run 'az login' to set up an account", "nobody is logged in"),
        ("cli", "ERROR: AADSTS700082: The refresh token has expired", "the sign-in has expired"),
        ("cli", "Failed to invoke the Azure CLI", "no answer in time"),
    ],
)
def test_what_the_platform_lacks_lets_others_try(kind: str, text: str, words: str) -> None:
    """No identity here, or nobody logged in, is no mistake: the next kind is asked."""
    told = failure_of(ValueError(text), Signer(kind, kind))
    assert words in told.what
    assert told.is_absent


def test_a_refused_principal_does_not_let_others_try() -> None:
    """A wrong secret, or a token issuer out of reach, is a mistake to mend, and not to be passed over."""
    for text in ("AADSTS7000215: Invalid", "NameResolutionError", "anything else"):
        assert not failure_of(ValueError(text), ENTRA).is_absent


def test_a_foreign_message_tells_no_secret_and_moves_no_cursor() -> None:
    """What a token issuer says is not trusted: neither with secrets nor with a terminal."""
    secret = "Zx9~planted-secret-value-77"
    told = said(f"bad \x1b[31m{secret}\x1b[0m\n\nsecond line", (secret,))
    assert secret not in told
    assert "\x1b" not in told
    assert "\n" not in told


@given(st.text(max_size=300))
def test_any_message_becomes_one_short_line(text: str) -> None:
    """No answer of a token issuer makes more than a line of us."""
    told = failure_of(ValueError(text), ENTRA)
    assert "\n" not in told.what + told.hint
    assert 0 < len(told.what) < 400
