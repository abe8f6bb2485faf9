"""Ten endpoints of `redline serve` with known limits: does `redline limit` find each, at what cost?

    python bench/endpoints.py            # all ten, about ten minutes
    python bench/endpoints.py aks-8 aci  # those whose name contains one of the words

The truth of each row stands in its flags: admitted = M·I (aks, kubernetes) or 2·M·I (managed).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAYLOAD = '{"data": [[1, 2, 3]]}'


@dataclass(frozen=True)
class Case:
    name: str
    serve: tuple[str, ...]
    limit: int  # users, for rejected<=0.1%
    options: tuple[str, ...] = ()


def case(name: str, hosting: str, instances: int, concurrent: int, service: str, *more: str) -> Case:
    admitted = instances * concurrent * (2 if hosting == "managed" else 1)
    flags = ("--hosting", hosting, "--instances", instances, "--max-concurrent", concurrent, "--service-time", service)
    return Case(name, (*map(str, flags), *more), admitted)


CASES = (
    case("aks-1", "aks", 1, 1, "20ms", "--service-spread", "0.3"),
    case("aks-4x2", "aks", 4, 2, "20ms", "--service-spread", "0.3"),
    case("aks-64", "aks", 4, 16, "50ms", "--service-spread", "0.3"),
    case("aks-5ms", "aks", 3, 4, "5ms", "--service-spread", "0.1"),
    case("managed-2", "managed", 1, 1, "100ms", "--service-spread", "0.3"),
    case("managed-24", "managed", 3, 4, "30ms", "--service-spread", "0.5"),
    case("managed-64", "managed", 8, 4, "40ms"),
    case("kubernetes-1s", "kubernetes", 2, 3, "1s", "--service-spread", "0.2"),
    case("kubernetes-40", "kubernetes", 5, 8, "200ms", "--service-spread", "0.3"),
    case("aks-constant-16", "aks", 2, 8, "10ms"),
)


def served(flags: tuple[str, ...], folder: Path) -> tuple[subprocess.Popen[bytes], dict[str, str]]:
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "localazure", *flags, "--ready-file", str(ready)]
    server = subprocess.Popen([*command, "--for", "15m", "--stop-with-parent"], cwd=ROOT, stderr=subprocess.DEVNULL)
    for _ in range(500):
        if ready.exists():
            return server, json.loads(ready.read_text())
        time.sleep(0.02)
    raise SystemExit("the endpoint did not start")


def measured(one: Case) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "payload.json").write_text(PAYLOAD)
        server, ready = served(one.serve, folder)
        try:
            arguments = ["limit", "local", "--config", ready["config"], "--payload", str(folder / "payload.json")]
            arguments += ["--json", "--quiet", "--max-users", "256", "--out", str(folder / "run"), *one.options]
            began = time.monotonic()
            done = subprocess.run([sys.executable, "-m", "cli", *arguments], cwd=ROOT, capture_output=True)
            seconds = time.monotonic() - began
        finally:
            server.terminate()
            server.wait()
    document = json.loads(done.stdout) if done.stdout else {"verdict": done.stderr.decode()[:80]}
    return {**document, "wall_s": seconds, "exit": done.returncode}


def main() -> None:
    words = sys.argv[1:]
    print("endpoint           truth found    interval first 503/429 rejected      s  verdict")
    for one in CASES:
        if words and not any(word in one.name for word in words):
            continue
        result = measured(one)
        limit = next(iter(result.get("limits") or [{}]))
        interval = "{}..{}".format(*limit.get("interval", ("?", "?")))
        exact = limit.get("users") == one.limit and result.get("first_rejected_users") == one.limit + 1
        print(
            f"{one.name:18} {one.limit:>5} {limit.get('users')!s:>5} {interval:>11}"
            f" {result.get('first_rejected_users')!s:>13} {result.get('harm', {}).get('rejected_count')!s:>8}"
            f" {result['wall_s']:>6.1f}  {result['verdict']}{'' if exact else '   NOT EXACT'}"
            f"{'' if result.get('client', {}).get('valid') else '   unfair'}",
            flush=True,
        )


if __name__ == "__main__":
    main()
