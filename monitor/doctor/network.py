"""Name, connections, TLS and certificate: can the endpoint be reached, and by whom is it what it says? Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from monitor.doctor.facts import Address, Certificate, Connected, Gap, Handshake, Known
from scoring.attempt import Failure
from scoring.check import Check, fail, ok, unknown, warn
from scoring.endpoint import Endpoint
from scoring.status import failure_meaning
from scoring.units import show_ms

DAY_S = 86_400
WARN_DAYS, FAIL_DAYS = 30, 7
"""A certificate that ends sooner is told: renewing one takes days where people have to agree."""
OLD_PROTOCOLS = ("SSLv3", "TLSv1", "TLSv1.1")


def dns_check(endpoint: Endpoint, addresses: Known[tuple[Address, ...]]) -> Check:
    """Whether the host's name stands for an address."""
    if isinstance(addresses, Gap):
        return fail("dns", addresses.why, addresses.fix)
    if not addresses:
        return fail("dns", f"the name {endpoint.host} has no address", f"getent ahosts {endpoint.host}")
    if addresses[0].text == endpoint.host:
        return ok("dns", f"{endpoint.host} is an address itself")
    listed = ", ".join(f"{one.text} ({one.family})" for one in addresses[:4])
    more = f" and {len(addresses) - 4} more" if len(addresses) > 4 else ""
    return ok("dns", f"{endpoint.host} is {listed}{more}")


def tcp_check(endpoint: Endpoint, connected: Known[tuple[Connected, ...]]) -> Check:
    """Whether every address takes connections."""
    if isinstance(connected, Gap):
        return unknown("tcp", connected.why)
    good = [one for one in connected if one.failure is None]
    bad = [one for one in connected if one.failure is not None]
    port = f"port {endpoint.port}"
    if not bad:
        return ok("tcp", f"{port} takes connections: {_times(good)}")
    told = "; ".join(f"{_where(one, endpoint)} {_trouble(one)}" for one in bad[:4])
    if not good:
        return fail("tcp", told, _next_step(bad, endpoint))
    step = f"mend or remove the {bad[0].address.family} address of {endpoint.host}; clients that try it first lose time"
    return warn("tcp", f"{told}; {_times(good)}", step)


def tls_check(endpoint: Endpoint, shaken: Known[Handshake | None]) -> Check:
    """Whether the connection is private, and with whom it should be."""
    if isinstance(shaken, Gap):
        return unknown("tls", shaken.why)
    if shaken is None:
        return _without_tls(endpoint)
    if shaken.failure is not None:
        meant = failure_meaning(shaken.failure)
        detail = f" ({shaken.detail})" if shaken.detail else ""
        return fail("tls", f"{meant.cause}{detail}{_of(shaken.certificate)}", _tls_step(shaken, endpoint))
    by = _of(shaken.certificate)
    if shaken.protocol in OLD_PROTOCOLS:
        return warn("tls", f"{shaken.protocol}, which is no longer safe{by}", "serve TLS 1.2 or newer")
    return ok("tls", f"{shaken.protocol}; the certificate is trusted and names {endpoint.host}{by}")


def certificate_check(endpoint: Endpoint, shaken: Known[Handshake | None], now_s: float) -> Check:
    """For how many days the certificate holds."""
    if isinstance(shaken, Gap):
        return unknown("certificate", shaken.why)
    if shaken is None and endpoint.is_loopback:
        return ok("certificate", "none is needed: http on this machine")
    if shaken is None:
        return unknown("certificate", "http has no certificate")
    found = shaken.certificate
    if found is None:
        return unknown("certificate", "the host showed none that could be read", "openssl s_client -connect HOST:443")
    if now_s < found.starts_s:
        days = (found.starts_s - now_s) / DAY_S
        step = "check this machine's clock: date -u"
        return fail("certificate", f"holds only from {_date(found.starts_s)}, in {days:.1f} days", step)
    days = (found.expires_s - now_s) / DAY_S
    until = f"until {_date(found.expires_s)}, {_days(days)}"
    if days < FAIL_DAYS:
        word = "expired" if days <= 0 else "holds"
        when = f"on {_date(found.expires_s)}, {_days(-days)} ago" if days <= 0 else until
        return fail("certificate", f"{word} {when}", _renew(endpoint))
    if days < WARN_DAYS:
        return warn("certificate", f"holds {until}", _renew(endpoint))
    return ok("certificate", f"holds {until}")


def _times(connected: Sequence[Connected]) -> str:
    return ", ".join(f"{one.address.text} in {show_ms(one.connect_ms)}" for one in connected[:4])


def _where(connected: Connected, endpoint: Endpoint) -> str:
    address = connected.address
    return f"[{address.text}]:{endpoint.port}" if address.is_ipv6 else f"{address.text}:{endpoint.port}"


_TROUBLES = {
    Failure.CONNECT_REFUSED: "refused the connection: nothing listens there",
    Failure.CONNECT_TIMEOUT: "did not answer: a firewall, or a private network that this machine is not in",
    Failure.NETWORK_UNREACHABLE: "cannot be reached from this machine",
}


def _trouble(connected: Connected) -> str:
    failure = connected.failure or Failure.NETWORK_UNREACHABLE
    return _TROUBLES.get(failure) or f"took no connection ({connected.detail})"


def _next_step(bad: Sequence[Connected], endpoint: Endpoint) -> str:
    if all(one.failure is Failure.CONNECT_REFUSED for one in bad):
        return "check the port of scoring_uri in redline.toml, and whether the service runs"
    return f"nc -vz {endpoint.host} {endpoint.port}; from inside the endpoint's network if it is private"


def _without_tls(endpoint: Endpoint) -> Check:
    if endpoint.is_loopback:
        return ok("tls", "http on this machine: nothing leaves it")
    word = "key" if endpoint.auth != "none" else "payload"
    step = 'scoring_uri = "https://…" in redline.toml; on ACI and AKS switch TLS on: ssl_enabled=True'
    return warn("tls", f"http: whoever is on the way reads the {word}", step)


def _of(certificate: Certificate | None) -> str:
    if certificate is None:
        return ""
    names = ", ".join(certificate.names[:3]) or "no name"
    return f"; it is for {names}, by {certificate.issuer}"


def _tls_step(shaken: Handshake, endpoint: Endpoint) -> str:
    if shaken.failure is Failure.TLS_EXPIRED:
        return _renew(endpoint)
    if shaken.failure is Failure.TLS_UNTRUSTED:
        return 'ca_file = "company-ca.pem" in redline.toml, when an authority of your own signed it'
    if shaken.failure is Failure.TLS_WRONG_HOST:
        return "use the host name that the certificate is for in scoring_uri"
    return f"openssl s_client -connect {endpoint.host}:{endpoint.port} -servername {endpoint.host}"


def _renew(endpoint: Endpoint) -> str:
    if endpoint.host.endswith(".inference.ml.azure.com"):
        return "Microsoft renews it; check this machine's clock, date -u, and any proxy between"
    return f"renew the certificate of {endpoint.host}"


def _date(instant_s: float) -> str:
    try:
        return f"{datetime.fromtimestamp(instant_s, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return "a date that no calendar has"


def _days(days: float) -> str:
    return f"{days:.1f} days" if days < 10 else f"{int(days)} days"


def network_checks(
    endpoint: Endpoint,
    addresses: Known[tuple[Address, ...]],
    connected: Known[tuple[Connected, ...]],
    shaken: Known[Handshake | None],
    now_s: float,
) -> Iterator[Check]:
    """The four in order."""
    yield dns_check(endpoint, addresses)
    yield tcp_check(endpoint, connected)
    yield tls_check(endpoint, shaken)
    yield certificate_check(endpoint, shaken, now_s)
