"""The local endpoint's own commands: what its control plane is to answer from now on."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit


def command(ready: dict[str, Any], name: str, body: object) -> Any:
    """The answer to `POST {arm_url}/redline/NAME`."""
    address = urlsplit(ready["arm_url"])
    trusted = ssl.create_default_context(cafile=ready["ca_file"])
    connection = http.client.HTTPSConnection(address.hostname or "", address.port, timeout=30, context=trusted)
    try:
        connection.request("POST", f"/redline/{name}", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        told = answer.read()
        assert answer.status == 200, told
        return json.loads(told or b"null")
    finally:
        connection.close()
