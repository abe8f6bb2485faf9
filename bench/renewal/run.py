"""Ten minutes of load whose credentials keep ending: `python bench/renewal/run.py`.

Two loads at once against one local endpoint: one with tokens that live 20 s, one with keys found by listKeys. In
between the call for tokens fails for five seconds, hangs once, all tokens are forgotten, and keys are made anew.
Everything the endpoint counted is compared with everything that was recorded.
"""

from __future__ import annotations

import argparse
import json
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from capacity.runfolder import read_attempts, read_levels  # noqa: E402
from capacity.summary import label_counts  # noqa: E402
from scoring.attempt import FLAG_RENEWED  # noqa: E402

TOKEN_CALL = {"api": "arm", "path": "/token"}
EVENTS: tuple[tuple[float, str, str, Any], ...] = (
    (0.10, "renewals fail for 5 s", "faults", [{**TOKEN_CALL, "status": 503, "for_s": 5}]),
    (
        0.20,
        "all tokens are forgotten, and renewals fail for 5 s",
        "faults",
        [{**TOKEN_CALL, "status": 503, "for_s": 5}],
    ),
    (0.20, "", "expire-tokens", {}),
    (0.30, "one renewal hangs", "faults", [{**TOKEN_CALL, "hang": True, "count": 1}]),
    (0.50, "the primary key is made anew", "regenerate", {"endpoint": "local", "key": "Primary"}),
    (0.60, "both keys are made anew", "regenerate", {"endpoint": "local", "key": "Primary"}),
    (0.60, "", "regenerate", {"endpoint": "local", "key": "Secondary"}),
    (0.70, "all tokens are forgotten", "expire-tokens", {}),
    (0.80, "the secondary key is made anew", "regenerate", {"endpoint": "local", "key": "Secondary"}),
)
"""When, as a share of the duration; what for people; command and body for the stand-in."""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=int, default=600)
    asked.add_argument("--users", type=int, default=20, help="of each of the two loads")
    asked.add_argument("--token-life", default="20s")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _run(Path(folder), options)


def _run(folder: Path, options: argparse.Namespace) -> None:
    ready = folder / "ready.json"
    flags = ["--hosting", "managed", "--instances", "8", "--max-concurrent", "8", "--service-time", "100ms"]
    flags += ["--token-life", options.token_life, "--for", f"{options.seconds + 120}s", "--ready-file", str(ready)]
    server = subprocess.Popen(
        [sys.executable, "-m", "localazure", *flags, "--stop-with-parent"], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    try:
        while not ready.exists():
            time.sleep(0.1)
        told = json.loads(ready.read_text())
        loads = {name: _load(folder, told, name, options) for name in ("local-token", "local")}
        time.sleep(5)
        _happen(told, options.seconds)
        for load in loads.values():
            load.wait()
        for name in loads:
            _report(folder / name, told, name)
        print("calls that the control plane answered:", json.dumps(_asked(told)))
    finally:
        server.terminate()
        server.wait()


def _load(folder: Path, told: dict[str, Any], name: str, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    """`redline load`, whose credential Azure gives: no key file is named."""
    config = folder / f"{name}.toml"
    lines = Path(told["config"]).read_text().splitlines()
    config.write_text("\n".join(line for line in lines if not line.startswith("key_file")))
    words = ["load", name, "--config", str(config), "--users", str(options.users), "--for", f"{options.seconds}s"]
    output = (folder / f"{name}.txt").open("wb")
    return subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), *words, "--quiet", "--out", str(folder / name)],
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def _happen(told: dict[str, Any], seconds: int) -> None:
    """All events have happened, each at its time."""
    began_s = time.monotonic()
    for share, words, command, body in EVENTS:
        time.sleep(max(share * seconds - (time.monotonic() - began_s), 0.0))
        _said(told, f"{told['arm_url']}/redline/{command}", body)
        if words:
            print(f"{share * seconds:5.0f} s  {words}", flush=True)


def _report(run: Path, told: dict[str, Any], name: str) -> None:
    """One load, in figures."""
    rows = read_attempts(run)
    flagged = (rows["flags"] & FLAG_RENEWED) != 0
    (uri,) = (one["scoring_uri"] for one in told["endpoints"] if one["name"] == name)
    counted = _said(told, uri.replace("/score", "/redline/stats"))
    (level,) = read_levels(run)
    print(f"\n{name}: {run.with_suffix('.txt').read_text().splitlines()[0]}")
    print("  recorded        ", len(rows), label_counts(rows))
    print("  endpoint counted", json.dumps(counted["by_status"]), "on all its entrances")
    print("  401, flagged    ", int(flagged.sum()))
    print(
        "  mislabelled     ", int((flagged & (rows["status"] != 401)).sum() + (~flagged & (rows["failure"] != 0)).sum())
    )
    print("  users waited    ", f"{level['waited_s']:.2f} s in all")


def _asked(told: dict[str, Any]) -> dict[str, int]:
    calls = _said(told, f"{told['arm_url']}/redline/counts")["calls"]
    return {f"{api} {call}"[-60:]: count for api, of_api in calls.items() for call, count in of_api.items()}


def _said(told: dict[str, Any], url: str, body: Any = None) -> Any:
    """The JSON that the stand-in answers; POST where there is a body."""
    at = urlsplit(url)
    context = ssl.create_default_context(cafile=told["ca_file"])
    port = at.port or 0
    made = HTTPSConnection("127.0.0.1", port, context=context) if at.scheme == "https" else HTTPConnection(at.netloc)
    with closing(made) as connection:
        connection.request("GET" if body is None else "POST", at.path, None if body is None else json.dumps(body))
        return json.load(connection.getresponse())


if __name__ == "__main__":
    main()
