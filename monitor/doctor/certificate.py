"""What a certificate says of itself. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.doctor.facts import Certificate
from scoring.redact import redact
from scoring.text import harmless

if TYPE_CHECKING:
    from cryptography import x509

MOST_NAMES = 20


def certificate_of(der: bytes) -> Certificate | None:
    """Names, issuer and life of a certificate in DER; None where it cannot be read."""
    from cryptography import x509

    try:
        found = x509.load_der_x509_certificate(der)
        names = _names(found)
        return Certificate(
            names=tuple(_safe(name) for name in names[:MOST_NAMES]),
            issuer=_safe(_common_name(found.issuer) or found.issuer.rfc4514_string()),
            starts_s=found.not_valid_before_utc.timestamp(),
            expires_s=found.not_valid_after_utc.timestamp(),
        )
    except ValueError:
        return None


def _names(found: x509.Certificate) -> list[str]:
    """Host names and addresses that the certificate is for; its common name where it lists none."""
    from cryptography import x509

    try:
        listed = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        name = _common_name(found.subject)
        return [] if name is None else [name]
    addresses = [str(address) for address in listed.get_values_for_type(x509.IPAddress)]
    return [*listed.get_values_for_type(x509.DNSName), *addresses]


def _common_name(name: x509.Name) -> str | None:
    from cryptography.x509.oid import NameOID

    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return None if not found else str(found[0].value)


def _safe(text: str) -> str:
    return harmless(redact(text), max_chars=200)
