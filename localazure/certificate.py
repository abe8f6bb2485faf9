"""The certificate of the TLS listeners, signed by a CA that is made for this one start of the endpoint."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Certificate:
    """`pem` is key and chain of the listeners, `ca_pem` the certificate of those who are to trust them."""

    pem: str = field(repr=False)
    ca_pem: str


def made() -> Certificate:
    import trustme

    authority = trustme.CA(organization_name="redline local endpoint")
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    return Certificate(leaf.private_key_and_cert_chain_pem.bytes().decode(), authority.cert_pem.bytes().decode())


def context_of(certificate: Certificate) -> ssl.SSLContext:
    """The TLS context of a listener."""
    import trustme

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with trustme.Blob(certificate.pem.encode()).tempfile() as path:
        context.load_cert_chain(path)
    return context
