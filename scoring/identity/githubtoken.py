"""Edge: the token that a job of GitHub Actions gets for Azure, without the azure/login action."""

from __future__ import annotations

import json
import os
import ssl
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from scoring.errors import Exit, RedlineError
from scoring.text import harmless

AUDIENCE = "api://AzureADTokenExchange"
_TIMEOUT_S = 10.0
_MAX_BYTES = 65_536
_HINT = "permissions: id-token: write, in the workflow"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The bearer token goes to the address it is for, and to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def github_assertion(url: str, bearer: str, ca_file: str | None) -> str:
    """The signed statement of GitHub about this job. RedlineError (exit 4) where none is given."""
    split = urlsplit(url)
    if split.scheme != "https" and split.hostname not in _LOOPBACK:
        raise _refused("ACTIONS_ID_TOKEN_REQUEST_URL is no https address", _HINT)
    joined = f"{url}{'&' if split.query else '?'}audience={AUDIENCE}"
    headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/json"}
    try:
        request = urllib.request.Request(joined, headers=headers)  # noqa: S310  (checked above)
        context = ssl.create_default_context()
        bundle = ca_file or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        if bundle:
            context.load_verify_locations(bundle)
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=context))
        with opener.open(request, timeout=_TIMEOUT_S) as answer:
            document = json.loads(answer.read(_MAX_BYTES))
    except urllib.error.HTTPError as error:
        error.close()
        raise _refused(f"GitHub answered {error.code} to the request for this job's token", _HINT) from None
    except (OSError, ValueError, RecursionError) as error:
        reason = harmless(str(getattr(error, "reason", None) or type(error).__name__), max_chars=120)
        raise _refused(f"GitHub gave no token for this job: {reason}", _HINT) from None
    value = document.get("value") if isinstance(document, dict) else None
    if not isinstance(value, str) or not value:
        raise _refused("GitHub's answer holds no token for this job", _HINT)
    return value


def _refused(message: str, hint: str) -> RedlineError:
    return RedlineError(f"signing in to Azure by github: {message}", hint, Exit.NO_ENTRY)
