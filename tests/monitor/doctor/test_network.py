"""Name, connections, TLS and certificate, judged from facts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.doctor.facts import Certificate, Connected, Gap, Handshake
from monitor.doctor.network import certificate_check, dns_check, tcp_check, tls_check
from scoring.attempt import Failure
from scoring.endpoint import Endpoint, Hosting
from tests.monitor.doctor.samples import CERTIFICATE, DAY_S, ENDPOINT, NOW_S, V4, V6

LOCAL = Endpoint("local", "http://127.0.0.1:5001/score", hosting=Hosting.LOCAL)
PLAIN = Endpoint("churn", "http://churn.azurecontainer.io/score", hosting=Hosting.ACI, auth="key", key_env="K")


def _ending(days: float) -> Handshake:
    return Handshake(None, "", "TLSv1.3", replace(CERTIFICATE, expires_s=NOW_S + days * DAY_S))


@pytest.mark.parametrize(
    ("days", "outcome", "words"),
    [
        (200.0, "ok", "200 days"),
        (30.0, "ok", "30 days"),
        (29.9, "warn", "29 days"),
        (7.0, "warn", "7.0 days"),
        (6.9, "fail", "6.9 days"),
        (-2.5, "fail", "2.5 days ago"),
    ],
)
def test_a_certificate_is_told_a_month_before_it_ends(days: float, outcome: str, words: str) -> None:
    """Below 30 days a warning, below 7 a failure, with the days that are left."""
    found = certificate_check(ENDPOINT, _ending(days), NOW_S)
    assert (found.outcome, words in found.evidence) == (outcome, True), found


def test_a_certificate_of_the_future_fails_and_points_to_the_clock() -> None:
    """It holds only from then on, or our clock is behind."""
    early = Handshake(None, "", "TLSv1.3", replace(CERTIFICATE, starts_s=NOW_S + DAY_S))
    found = certificate_check(ENDPOINT, early, NOW_S)
    assert found.outcome == "fail"
    assert "date -u" in str(found.fix)


@pytest.mark.parametrize("instant_s", [1e18, -1e18])
def test_a_certificate_without_a_possible_date_is_told_in_words(instant_s: float) -> None:
    """No fault of ours, whatever a certificate says."""
    odd = Handshake(None, "", "TLSv1.3", Certificate(("x",), "y", NOW_S - 1, instant_s))
    assert certificate_check(ENDPOINT, odd, NOW_S).evidence


@pytest.mark.parametrize(
    ("failures", "outcome", "words"),
    [
        ((None, None), "ok", "10.0.0.4 in 1.50 ms, fd00::4 in 1.50 ms"),
        ((None, Failure.CONNECT_TIMEOUT), "warn", "[fd00::4]:443 did not answer"),
        ((Failure.NETWORK_UNREACHABLE, None), "warn", "10.0.0.4:443 cannot be reached"),
        ((Failure.CONNECT_REFUSED, Failure.CONNECT_REFUSED), "fail", "nothing listens there"),
        ((Failure.CONNECT_TIMEOUT, Failure.NETWORK_UNREACHABLE), "fail", "a private network"),
    ],
)
def test_each_family_is_told(failures: tuple[Failure | None, ...], outcome: str, words: str) -> None:
    """One address that takes no connection warns, none that does fails."""
    connected = tuple(
        Connected(address, None if failure else 1.5, failure)
        for address, failure in zip((V4, V6), failures, strict=True)
    )
    found = tcp_check(ENDPOINT, connected)
    assert (found.outcome, words in found.evidence) == (outcome, True), found


def test_a_name_without_an_address_fails() -> None:
    """Whether the look-up says so, or gives an empty list."""
    assert dns_check(ENDPOINT, ()).outcome == "fail"
    assert dns_check(ENDPOINT, Gap("the name is not known", "getent", is_error=True)).outcome == "fail"


@pytest.mark.parametrize(
    ("endpoint", "outcome", "words"),
    [(LOCAL, "ok", "this machine"), (PLAIN, "warn", "reads the key")],
)
def test_http_is_private_on_this_machine_alone(endpoint: Endpoint, outcome: str, words: str) -> None:
    """Elsewhere whoever is on the way reads the key."""
    found = tls_check(endpoint, None)
    assert (found.outcome, words in found.evidence) == (outcome, True)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Failure.TLS_EXPIRED, "Microsoft renews it"),
        (Failure.TLS_UNTRUSTED, "ca_file"),
        (Failure.TLS_WRONG_HOST, "host name that the certificate is for"),
        (Failure.TLS_FAILED, "openssl s_client"),
    ],
)
def test_what_is_wrong_with_tls_has_its_own_step(failure: Failure, words: str) -> None:
    """Expired, not trusted, for another host, or no TLS at all."""
    found = tls_check(ENDPOINT, Handshake(failure, "said so", None, CERTIFICATE))
    assert found.outcome == "fail"
    assert words in str(found.fix)
    assert "An Authority" in found.evidence


def test_an_old_protocol_warns() -> None:
    """TLS 1.1 and older can be broken into."""
    assert tls_check(ENDPOINT, Handshake(None, "", "TLSv1.1", CERTIFICATE)).outcome == "warn"
