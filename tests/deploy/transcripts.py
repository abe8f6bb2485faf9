"""What the commands of deploy/ print: the blocks of docs/deploy.md, and the same from real runs.

python -m tests.deploy.transcripts        writes the blocks of `check` and `watch` anew, from runs on this machine
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from scoring.errors import Exit
from tests.cli.serving import Served, serving
from tests.cli.terminal import ROOT, Told, ended, redline, started
from tests.deploy.written import here

DOCS = ROOT / "docs/deploy.md"
SERVE = ("--hosting", "aks", "--instances", "1", "--max-concurrent", "2", "--service-time", "5ms", "--no-telemetry")
TOML = """
[endpoints.churn-prod]
scoring_uri = "{uri}"
hosting = "aks"
key_env = "SCORING_KEY"
"""
WITHIN_S = 110.0
TRIES = 3
PARTS = {"limit": 4}  # the docs show so many paragraphs
_BLOCK = re.compile(r"^```console\n\$ redline ([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> dict[str, str]:
    """The words of each command in the docs, and what it prints there."""
    return dict(_BLOCK.findall(DOCS.read_text(encoding="utf-8")))


def shape(text: str) -> list[str]:
    """The lines of the text without figures and widths; of lines that differ in nothing else, the first."""
    text = re.sub(r"\b[0-9a-f]{12}\b", "hash", text).replace("requests", "request")
    lines = [re.sub(r"\d[\d.,:]*(?: (?:ms|s|min)\b)?", "0", line).split() for line in text.splitlines()]
    return list(dict.fromkeys(" ".join(words) for words in lines if words))


def said(told: Told, most_parts: int | None = None) -> str:
    """What a person at the terminal sees, or so many paragraphs of it."""
    parts = "\n".join(text.strip() for text in (told.err, told.out) if text.strip()).split("\n\n")
    more = "\n…" if most_parts is not None and len(parts) > most_parts else ""
    return "\n\n".join(parts[:most_parts]) + more + "\n"


def ran(served: Served, words: list[str]) -> Told:
    """The command in the folder of the server; a watcher ends by itself."""
    more = ["--for", "1s"] if words[0] == "watch" else []
    process = started(served.folder, [*here(words, served.folder), *more], SCORING_KEY=served.ready["key"])
    return ended(process, WITHIN_S)


def ran_fairly(served: Served, words: list[str]) -> Told:
    """A search that this machine was quiet enough for, or the last of a few."""
    for _ in range(TRIES):
        shutil.rmtree(served.folder / "run", ignore_errors=True)
        told = ran(served, words)
        if told.code != Exit.UNFAIR:
            break
    return told


def prepare(served: Served) -> None:
    (served.folder / "redline.toml").write_text(TOML.format(uri=served.ready["scoring_uri"]), encoding="utf-8")


def main() -> None:
    wanted = sys.argv[1:]
    text = DOCS.read_text(encoding="utf-8")
    with serving(Path(tempfile.mkdtemp()), *SERVE) as served:
        prepare(served)
        for words, before in blocks().items():
            command = words.split()[0]
            if wanted and command not in wanted:
                continue
            if command == "compare":
                redline(served.folder, "compare", "run", "--save-baseline", "baseline.json")
            after = said(ran(served, words.split()), PARTS.get(command))
            text = text.replace(f"$ redline {words}\n{before}```", f"$ redline {words}\n{after}```")
    DOCS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
