"""What Azure's APIs refuse, in one line and a hint."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.controlplane.refusals import RestError, refusal_of, role_for
from scoring.errors import Exit

SCOPE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
ACTION = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/listKeys/action"
DENIED = (
    f"The client 'a' with object id 'b' does not have authorization to perform action '{ACTION}' over scope '{SCOPE}'"
    " or the scope is invalid. If access was recently granted, please refresh your credentials."
)
TENANT = (
    "The access token is from the wrong issuer 'https://sts.windows.net/00000000-0000-0000-0000-000000000001/'. It must"
    " match the tenant 'https://sts.windows.net/00000000-0000-0000-0000-000000000002/' associated with this one."
)


def refused(status: int, code: str = "", message: str = "", **headers: str) -> RestError:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return refusal_of("the keys of `churn`", "management.azure.com", status, headers, body)


@pytest.mark.parametrize(
    ("status", "code", "message", "line", "hint"),
    [
        pytest.param(403, "AuthorizationFailed", DENIED, "AzureML Data Scientist", f"--scope {SCOPE}", id="no right"),
        pytest.param(
            401, "InvalidAuthenticationTokenTenant", TENANT, "another tenant", "000000000002", id="wrong tenant"
        ),
        pytest.param(401, "InvalidAuthenticationTokenAudience", "…", "another cloud", "china", id="wrong cloud"),
        pytest.param(401, "ExpiredAuthenticationToken", "…", "expired", "date -u", id="expired"),
        pytest.param(404, "SubscriptionNotFound", "…", "sees none", "az account list", id="wrong subscription"),
        pytest.param(404, "ResourceGroupNotFound", "…", "no such resource group", "az group list", id="wrong group"),
        pytest.param(403, "X", "Public network access is disabled", "private network", "virtual network", id="private"),
        pytest.param(429, "TooManyRequests", "…", "throttles", "later", id="throttled"),
        pytest.param(409, "Conflict", "…", "under way", "again", id="busy"),
        pytest.param(503, "ServerBusy", "…", "503", "again", id="down"),
        pytest.param(302, "", "", "not followed", "address", id="redirect"),
    ],
)
def test_each_refusal_has_its_own_line_and_hint(status: int, code: str, message: str, line: str, hint: str) -> None:
    """The line says which call, and what is wrong; the hint what to type; the exit code is 4."""
    error = refused(status, code, message)
    assert "the keys of `churn`" in error.message
    assert line in error.message
    assert hint in str(error.hint)
    assert (error.exit_code, error.status) == (Exit.NO_ENTRY, status)


@pytest.mark.parametrize(
    ("action", "role"),
    [
        ("Microsoft.MachineLearningServices/workspaces/read", "Reader"),
        (ACTION, "AzureML Data Scientist"),
        ("Microsoft.OperationalInsights/workspaces/query/AppRequests/read", "Log Analytics Reader"),
        ("Microsoft.Insights/metrics/read", "Monitoring Reader"),
        ("Microsoft.Insights/diagnosticSettings/write", "Monitoring Contributor"),
        ("Microsoft.KeyVault/vaults/secrets/getSecret/action", "Key Vault Secrets User"),
    ],
)
def test_the_role_that_is_named_is_the_smallest(action: str, role: str) -> None:
    """Never more than the action needs."""
    assert role_for(action) == role


def test_a_refusal_without_json_shows_the_start_of_its_text() -> None:
    """A proxy's page is told by its words, without its markup."""
    error = refusal_of("x", "h", 502, {}, b"<html><body><h1>Bad Gateway</h1></body></html>")
    assert "Bad Gateway" in error.message
    assert "<h1>" not in error.message


def test_a_secret_in_a_refusal_is_not_repeated() -> None:
    """Foreign text is redacted and has no control character."""
    error = refused(
        400, "Bad\x1b[31m", "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlMTIz was sent"
    )
    assert "eyJzdWIi" not in error.message
    assert "\x1b" not in error.message


@given(
    st.integers(300, 599),
    st.one_of(
        st.binary(max_size=80),
        st.recursive(
            st.one_of(st.none(), st.integers(), st.text(max_size=9)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.sampled_from(["error", "code", "message", "innererror", "details"]), inner, max_size=4
                ),
            ),
            max_leaves=9,
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_an_answer_of_any_shape_is_one_line(status: int, body: Any) -> None:
    """Whatever an API answers, there is one line that names the call."""
    error = refusal_of("the call", "h", status, {}, body)
    assert error.message.startswith("the call")
    assert "\n" not in error.message
