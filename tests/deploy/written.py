"""The command lines that stand in the files of deploy/, word for word."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from tests.cli.terminal import ROOT

DEPLOY = ROOT / "deploy"


def commands() -> dict[str, list[str]]:
    """File and place → the words after `redline`."""
    found = {**_units(), **_pods(), **_workflows()}
    image = (DEPLOY / "container/Containerfile").read_text(encoding="utf-8")
    (words,) = re.findall(r"^CMD (\[.*\])$", image, re.MULTILINE)
    found["container"] = yaml.safe_load(words)
    pipeline = (DEPLOY / "jenkins/Jenkinsfile").read_text(encoding="utf-8")
    for line in re.findall(r"sh 'venv/bin/redline (.*)'", pipeline):
        found[f"jenkins {line.split()[0]}"] = shlex.split(line)
    return found


def containers() -> dict[str, dict[str, Any]]:
    """The containers of the Kubernetes files by their names."""
    found = {}
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            spec = document["spec"]
            template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
            for container in template["spec"]["containers"] if template else ():
                found[container["name"]] = container
    return found


def _units() -> dict[str, list[str]]:
    found = {}
    for file in sorted((DEPLOY / "systemd").glob("*.service")):
        text = file.read_text(encoding="utf-8").replace("\\\n", " ")
        (line,) = re.findall(r"^ExecStart=/opt/redline/bin/redline (.*)$", text, re.MULTILINE)
        found[file.name] = shlex.split(line)
    return found


def _pods() -> dict[str, list[str]]:
    return {f"kubernetes {name}": one["args"] for name, one in containers().items() if "command" not in one}


def _workflows() -> dict[str, list[str]]:
    found = {}
    for file in sorted((DEPLOY / "github-actions").glob("*.yml")):
        for job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].values():
            for step in job["steps"]:
                words = shlex.split(step.get("run", ""))
                if words[:1] == ["redline"]:
                    found[f"{file.name} {words[1]}"] = words[1:]
    return found


def here(words: list[str], folder: Path) -> list[str]:
    """The same words with the places of a server or cluster replaced by those of a test."""
    places = {
        "/etc/redline/": f"{folder}/",
        "/etc/redline-payload/payload.json": f"{folder}/good.json",
        "/var/lib/redline/health": f"{folder}/health",
        "0.0.0.0:9750": "127.0.0.1:0",
        "127.0.0.1:9750": "127.0.0.1:0",
        "/opt/locustfiles/": f"{ROOT}/locustfiles/",
    }
    for written, meant in places.items():
        words = [word.replace(written, meant) for word in words]
    return words
