"""No test reaches beyond this machine's loopback: the metadata service of the machine under it is none of ours."""

from __future__ import annotations

import os

os.environ.setdefault("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
