"""What others wrote, in every field of every source: shown by the real commands, inert, and without secrets."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.cli import schemas
from tests.cli.hostile_sources import (
    FORMS,
    TEXTS,
    hostile_azure,
    hostile_scoring,
    listening,
    service_log,
    spoil_failures,
)
from tests.cli.serving import serving
from tests.cli.terminal import Told, redline
from tests.reports.chromium import ARGUMENTS, CHROMIUM
from tests.scoring.secret_forms import HELD, HELD_FORMS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.timeout(300)

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200b-\u200f\u2060\ufeff\ud800-\udfff]"
)
COMMAND = re.compile(r"^\s*(::\w|##\[)", re.MULTILINE)
SOURCES = ("evil", "--run", "run", "--service-log", "service.log")
COMMANDS = {
    "errors": ("report", "errors", *SOURCES, "--out", "errors"),
    "errors json": ("report", "errors", *SOURCES, "--baseline", "baseline.json", "--json", "--out", "changed"),
    "latency": ("report", "latency", *SOURCES, "--out", "latency"),
    "latency json": ("report", "latency", *SOURCES, "--json"),
    "diagnose": ("diagnose", "run", "--service-log", "service.log"),
    "diagnose json": ("diagnose", "run", "--service-log", "service.log", "--json"),
    "logs": ("logs", "service.log"),
    "logs json": ("logs", "service.log", "--json"),
}
SHAPED = [secret for name, _, secret in FORMS if "," not in name and len(secret) >= 30]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def said(folder: Path) -> dict[str, Told]:
    """What every command said of the hostile sources; files stand in the folder."""
    with hostile_scoring([*HELD_FORMS.values(), *TEXTS]) as uri:
        load = ("--url", uri, "--key-env", "SCORING_KEY", "--users", "4", "--for", "2s", "--out", "run")
        told = redline(folder, "load", *load, SCORING_KEY=HELD)
        assert told.code in (0, 1, 3), told.err
    shutil.copytree(folder / "run", folder / "recorded")
    spoil_failures(folder / "run")
    (folder / "service.log").write_bytes(service_log())
    earlier = {text: number for number, text in enumerate(TEXTS[:90])}
    groups = [{"cause": text, "fingerprint": text, "count": 3, "status": text} for text in TEXTS]
    (folder / "baseline.json").write_text(json.dumps({"by_status": earlier, "made_at": TEXTS[0], "groups": groups}))
    with hostile_azure(folder):
        return {"load": told} | {name: redline(folder, *arguments) for name, arguments in COMMANDS.items()}


@pytest.fixture(scope="module")
def outputs(said: dict[str, Told], folder: Path) -> dict[str, str]:
    """Every output by name: standard output, standard error and files."""
    texts = {f"{name} stdout": told.out for name, told in said.items()}
    texts |= {f"{name} stderr": told.err for name, told in said.items()}
    for name in ("errors", "changed", "latency"):
        files = [path for path in (folder / name).iterdir() if path.is_file()]
        texts |= {f"{name}/{path.name}": path.read_text(encoding="utf-8") for path in files}
    return texts


def test_every_command_reads_hostile_sources_to_the_end(said: dict[str, Told]) -> None:
    """No traceback, no fault of redline, nothing on stderr, and the exit code of a report that was made."""
    for name, told in said.items():
        if name != "load":
            assert (name, told.code, told.err) == (name, 0, "")


@pytest.mark.parametrize("of", ["logs", ""])
def test_no_planted_secret_is_in_any_output(of: str, outputs: dict[str, str]) -> None:
    """Whatever its form and the field it stood in, as it is and as JSON writes it."""
    told = {where: text for where, text in outputs.items() if where.startswith(of)}
    found = [(name, where) for where, text in told.items() for name, _, secret in FORMS if secret in text]
    assert found == []


@pytest.mark.parametrize("of", ["logs", ""])
def test_no_end_of_a_secret_is_in_any_output(of: str, outputs: dict[str, str]) -> None:
    """Neither the first nor the last twelve characters of what shows by itself that it is a secret."""
    told = {where: text for where, text in outputs.items() if where.startswith(of)}
    assert [(secret[:3], where) for where, text in told.items() for secret in SHAPED if _ends_of(secret, text)] == []


def _ends_of(secret: str, text: str) -> bool:
    return secret[:12] in text or secret[-12:] in text


def test_the_key_of_a_run_is_in_no_file_however_the_server_echoed_it(folder: Path, said: dict[str, Told]) -> None:
    """The recorder takes it out before anything is written, in each of its encodings."""
    for path in (folder / "recorded").iterdir():
        data = path.read_bytes()
        assert HELD.encode() not in data, path.name
        assert json.dumps(HELD)[1:-1].encode() not in data, path.name
        assert HELD[-8:].encode() not in data, path.name
        assert HELD.encode().hex().encode() not in data, path.name


def test_no_output_holds_a_control_bidi_or_invisible_character(outputs: dict[str, str]) -> None:
    """Terminals, pages and readers of files get what can be seen."""
    found = [(where, hex(ord(hit[0]))) for where, text in outputs.items() if (hit := UNSEEN.search(text))]
    assert found == []


def test_no_output_for_a_build_log_starts_a_line_with_a_workflow_command(outputs: dict[str, str]) -> None:
    """A build log that shows it executes nothing."""
    shown = {where: text for where, text in outputs.items() if where.endswith(("stdout", "stderr", ".md", ".xml"))}
    found = [(where, hit[0]) for where, text in shown.items() if (hit := COMMAND.search(text))]
    assert found == []


def test_machine_formats_are_read_back(said: dict[str, Told], outputs: dict[str, str]) -> None:
    """JSON fits its schema, one object a line where it is a log; SARIF, JUnit and CSV are what they are."""
    assert schemas.faults("errors", said["errors json"].json) == []
    assert schemas.faults("latency", said["latency json"].json) == []
    assert schemas.faults("diagnose", said["diagnose json"].json) == []
    for line in said["logs json"].out.splitlines():
        assert schemas.faults("logs", json.loads(line)) == []
    for where, text in outputs.items():
        if where.endswith((".json", ".sarif")):
            json.loads(text)
        if where.endswith(".xml"):
            ET.fromstring(text)  # noqa: S314 - our own output
        if where.endswith(".csv"):
            cells = [cell for row in csv.reader(StringIO(text)) for cell in row]
            assert [cell for cell in cells if cell[:1] in set("=+-@＝＋－＠\t\r") and not _is_number(cell)] == []


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell) is not None


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; set REDLINE_CHROMIUM")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


def _noise(page: Page) -> list[str]:
    """What the page asks for, says and does, from now on."""
    noise: list[str] = []
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.on("request", lambda request: noise.append(request.url))
    page.on("dialog", lambda dialog: noise.append(dialog.message))
    return noise


@pytest.mark.parametrize("report", ["errors", "changed", "latency"])
def test_a_hostile_page_is_silent_in_a_browser(
    report: str, folder: Path, said: dict[str, Told], browser: Browser
) -> None:
    """No script runs, nothing but the page and its sheet is asked for, and the console stays empty."""
    page = browser.new_page()
    noise, address = _noise(page), (folder / report / "report.html").as_uri()
    page.goto(address)
    assert page.locator("script").count() == 0
    assert noise == [address, address.replace("report.html", "report.css")]
    page.close()


def test_the_console_of_an_endpoint_is_shown_harmless(tmp_path: Path) -> None:
    """`redline logs ENDPOINT` shows hostile console rows without a fault, a secret or a control character."""
    with hostile_azure(tmp_path):
        told = redline(tmp_path, "logs", "evil")
    assert (told.code, told.err) == (0, "")
    assert [name for name, _, secret in FORMS if secret in told.out] == []
    assert UNSEEN.search(told.out) is None


class _Jenkins(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        policy = "sandbox; default-src 'none'; img-src 'self'; style-src 'self';"
        self.send_header("Content-Security-Policy", policy)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.mark.parametrize("report", ["errors", "latency"])
def test_under_jenkins_policy_the_page_keeps_its_looks(
    report: str, folder: Path, said: dict[str, Told], browser: Browser
) -> None:
    """Served with the header that Jenkins sends by default, the linked sheet gives the page its looks."""
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    handler = partial(_Jenkins, directory=str(folder / report))
    with listening(handler) as port:  # type: ignore[arg-type]
        noise = _noise(page)
        page.goto(f"http://127.0.0.1:{port}/report.html")
        asked = {one.rpartition("/")[2] for one in noise if one.startswith("http")}
        assert page.locator(".verdict").evaluate("e => getComputedStyle(e).borderLeftWidth") == "8px"
    assert asked <= {"report.html", "report.css", "favicon.ico"}
    page.close()


def test_telemetry_posted_to_the_ingestion_comes_out_inert(tmp_path: Path) -> None:
    """Requests, exceptions and traces with hostile names, messages, stacks, ids, roles and dimensions."""
    with serving(tmp_path, "--hosting", "aks") as served:
        items = []
        for number, text in enumerate(TEXTS):
            tags = {"ai.cloud.role": text, "ai.cloud.roleInstance": text, "ai.operation.id": f"{number:032x}"}
            path = {"Request Id": text, "Name": text, "Response Value": text, "Path": "/score", text[:100]: text}
            request = {"id": text, "name": text, "url": "http://x/score", "responseCode": "500", "success": False}
            thrown = {"typeName": text, "message": text, "hasFullStack": True, "stack": text}
            stack = [{"level": 0, "method": text, "assembly": text, "fileName": text, "line": 1}]
            items += [
                served.item("Request", request | {"duration": "0.00:00:00.010", "properties": path}, **tags),
                served.item("Exception", {"exceptions": [thrown | {"parsedStack": stack}], "properties": path}, **tags),
                served.item("Message", {"message": text, "severityLevel": "Error", "properties": path}, **tags),
            ]
        for start in range(0, len(items), 200):
            assert served.send(items[start : start + 200]) > 0
        arguments = ("local", "--config", served.config, "--since", "1h")
        told = redline(tmp_path, "report", "errors", *arguments, "--out", "report", "--json")
    assert (told.code, told.err) == (0, "")
    assert told.json["requests"] >= len(TEXTS) // 2
    texts = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "report").iterdir()}
    assert [(name, where) for where, text in texts.items() for name, _, secret in FORMS if secret in text] == []
    assert [where for where, text in texts.items() if UNSEEN.search(text)] == []


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a\x1b[31mb", "::error::x", "\u202egnp"])
def test_the_name_of_an_endpoint_is_shown_harmless(name: str, tmp_path: Path) -> None:
    """In a report or in the refusal of the name."""
    with hostile_azure(tmp_path, name):
        told = redline(tmp_path, "report", "errors", name)
    assert told.code in (0, 2), told.err
    assert not UNSEEN.search((told.out + told.err).replace("\n", ""))
    assert "itself failed" not in told.err
