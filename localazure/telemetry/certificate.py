"""The certificate of the query listener, signed by a CA that is made for this one process."""

from __future__ import annotations

import ssl


def made() -> tuple[ssl.SSLContext, str]:
    """The listener's TLS context, and the CA's certificate as PEM for those who are to trust it."""
    import trustme

    authority = trustme.CA(organization_name="redline local endpoint")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context, authority.cert_pem.bytes().decode()
