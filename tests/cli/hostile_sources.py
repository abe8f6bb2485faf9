"""Sources whose every foreign field is hostile: an Azure Monitor, a scoring server, a service log and a run folder."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote_from_bytes

import trustme

from tests.reports.test_hostile import MARKS
from tests.scoring import secret_forms

WORKSPACE = "11111111-2222-3333-4444-555555555555"
ARM_ID = f"/subscriptions/{WORKSPACE}/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
FORMULAS = ("=1+1", "+cmd|'/c calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "＝1", "＠x")
MORE_MARKS = (
    "\ud800 alone",
    "\x85\u2028\u2029lines",
    "\x9b31mC1",
    "\u200bzero\u2060width\ufeff",
    "%0A::set-output a=b",
)
HOSTILE = (*MARKS, *FORMULAS, *MORE_MARKS)
MAX_FORMS = 160
_STEP = len(secret_forms.FORMS) // MAX_FORMS
_PARTS = {'response="'}  # what a form calls its secret and is only a word beside it
FORMS = [one for one in secret_forms.FORMS[::_STEP] if one[2] not in _PARTS]
TEXTS = (*HOSTILE, *(text for _, text, _ in FORMS))
"""Hostile texts, then every so-manieth of the forms that secrets have, each with a planted secret."""
_COLUMNS = re.compile(r"^// columns: (.*)$", re.MULTILINE)


def cells(columns: str, number: int, text: str, at: datetime) -> list[Any]:
    """One row with the text in each column that can hold it."""
    found: list[Any] = []
    for name, kind in (item.split() for item in columns.split(", ")):
        if name == "details":
            frame = {"fileName": text, "method": text, "line": 3, "level": 0}
            stack = {"message": text, "type": text, "rawStack": text, "parsedStack": [frame]}
            found.append(json.dumps([stack]))
        elif name == "code" and number % 3:
            found.append(("500", "424")[number % 2])
        elif name in ("deployment", "role"):
            found.append(HOSTILE[number % 3] if number % 7 else "blue")
        elif kind in ("string", "dynamic"):
            found.append(text)
        else:
            found.append({"datetime": at.isoformat(), "bool": True}.get(kind, 7 if kind in ("long", "int") else 12.5))
    return found


def table(query: str) -> dict[str, Any]:
    """The answer to a query: a row for every text."""
    columns = _COLUMNS.findall(query)[-1]
    start = datetime.now(UTC) - timedelta(minutes=5)
    rows = [cells(columns, i, text, start + timedelta(milliseconds=i)) for i, text in enumerate(TEXTS)]
    names = [{"name": item.split()[0], "type": item.split()[1]} for item in columns.split(", ")]
    return {"tables": [{"name": "PrimaryResult", "columns": names, "rows": rows}]}


def metrics() -> dict[str, Any]:
    """An answer of the metrics API with hostile names, units and dimensions."""
    at = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    series = [
        {"metadatavalues": [{"name": {"value": text}, "value": text}], "data": [{"timeStamp": at, "average": 3.5}]}
        for text in TEXTS[:60]
    ]
    values = [
        {"id": text, "name": {"value": text, "localizedValue": text}, "type": text, "unit": text, "timeseries": series}
        for text in HOSTILE[:3]
    ]
    return {
        "values": [{"resourceid": "x", "resourceregion": "y", "namespace": "z", "interval": "PT1M", "value": values}]
    }


class _Azure(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps(table(body["query"]) if "query" in body else metrics()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        return


class _Scoring(BaseHTTPRequestHandler):
    """Good at first, so that the load begins; then each answer is another text, in its status line and headers too."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    turns: Iterator[int]
    bodies: Sequence[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        turn = next(self.turns)
        text = self.bodies[turn % len(self.bodies)]
        line = re.sub(r"[\r\n\0]", " ", text).encode("utf-8", "replace").decode("latin-1")[:2000]
        body = b'{"result": 1}' if turn == 0 else text.encode("utf-8", "surrogatepass") + b"\xff\xfe\0"
        self.send_response_only(200 if turn == 0 else (500, 424)[turn % 2], line if turn else "OK")
        for name in ("x-request-id", "ms-azureml-model-error-reason", "azureml-model-deployment", "x-ms-request-id"):
            self.send_header(name, line)
        self.send_header("Content-Type", "application/json" if turn == 0 else line)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port on 127.0.0.1 where the handler answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def hostile_azure(folder: Path, name: str = "evil") -> Iterator[str]:
    """A redline.toml whose endpoint's telemetry is hostile in every field."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    (folder / "token").write_text("a-token")
    with listening(_Azure, context) as port:
        config = folder / "redline.toml"
        config.write_text(
            f'[endpoints.{json.dumps(name)}]\nscoring_uri = "http://127.0.0.1:9/score"\nauth = "none"\n'
            f'hosting = "managed"\nworkspace_id = "{WORKSPACE}"\narm_id = "{ARM_ID}/onlineEndpoints/evil"\n'
            f'logs_url = "https://127.0.0.1:{port}"\nmetrics_url = "https://127.0.0.1:{port}"\n'
            'azure_token_file = "token"\nca_file = "ca.pem"\n'
        )
        yield str(config)


@contextmanager
def hostile_scoring(bodies: Sequence[str]) -> Iterator[str]:
    """The URI of a server whose answers, but for the first, are these texts in turn."""
    handler = type("Scoring", (_Scoring,), {"turns": count(), "bodies": bodies})
    with listening(handler) as port:
        yield f"http://127.0.0.1:{port}/score"


def service_log() -> bytes:
    """Lines of every generation with each text where a server writes what others sent; bytes that are no text too."""
    lines = []
    for number, text in enumerate(TEXTS):
        at = f"2026-01-01 10:{number // 60 % 60:02}:{number % 60:02}"
        kept = text.encode("utf-8", "surrogatepass")
        in_url = text if text in HOSTILE or (" - using " in text and not {"/", "+"} & set(text)) else "-"
        name = quote_from_bytes(in_url.encode("utf-8", "surrogatepass"), safe="").encode()
        lines += [
            f"{at},632 I [784] azmlinfsrv.print - ".encode() + kept,
            f"{at},640 E [784] azmlinfsrv - Encountered Exception: Traceback (most recent call last):".encode(),
            b'  File "' + kept + b'", line 11, in run',
            b"ValueError: " + kept,
            f"{at},641 I [784] gunicorn.access - 127.0.0.1 - - [x] ".encode() + b'"POST /score?q=' + name + b'" 500 9',
            f"{at},650 I [784] azmlinfsrv - POST /score 500 12.5ms 90".encode(),
            f"{at},000 | root | ERROR | {number} | ".encode() + kept,
            b'10.0.0.1 - - [01/Jan/2026:10:00:00 +0000] "POST /score HTTP/1.0" 500 7 "' + name + b'" "x"',
        ]
    lines += [b"\xff\xfe\x00\x80 no text", b"2026-01-01 10:59:59,000 I [1] azmlinfsrv.print - " + b"x" * 10_000_000]
    return b"\n".join(lines) + b"\n"


def spoil_failures(run: Path) -> None:
    """Each line of failures.jsonl has a hostile text in every field, by hand, lone surrogates as JSON escapes."""
    rows = [json.loads(line) for line in (run / "failures.jsonl").read_text().splitlines()]
    spoilt = []
    for number, row in enumerate(rows):
        text = TEXTS[number % len(TEXTS)]
        headers = dict.fromkeys(("x-request-id", "ms-azureml-model-error-reason", text), text)
        more = {"body": text, "detail": text, "headers": headers, text: text}
        spoilt.append(json.dumps({**row, **more, "request_id": row["request_id"]}))
    (run / "failures.jsonl").write_text("\n".join([*spoilt, '{"half']))
