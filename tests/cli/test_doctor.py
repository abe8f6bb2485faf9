"""`redline doctor` as a newcomer meets it: one situation at a time, against the local endpoint."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme

from tests.cli import schemas
from tests.cli.serving import Served, serving
from tests.cli.standin_control import command
from tests.cli.terminal import KEY, ROOT, Told, files_with, redline

FIT = ("--hosting", "managed", "--instances", "2", "--max-concurrent", "2", "--worker-count", "2")
UNFIT = ("--hosting", "managed", "--max-concurrent", "4", "--worker-count", "2", "--request-timeout", "400s")


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("fit"), *FIT) as served:
        yield served


def _doctor(served: Served, *more: str, endpoint: str = "local", **environ: str) -> Told:
    return redline(served.folder, "doctor", endpoint, "--config", served.config, *more, **environ)


def _checks(told: Told) -> dict[str, dict[str, Any]]:
    assert schemas.faults("doctor", told.json) == []
    return {one["id"]: one for one in told.json["checks"]}


def _bad(told: Told) -> set[str]:
    return {name for name, one in _checks(told).items() if one["outcome"] in ("warn", "fail")}


@contextmanager
def _changed(served: Served, name: str, now: object, then: object) -> Iterator[None]:
    """The control plane answers otherwise until the block ends."""
    command(served.ready, name, now)
    try:
        yield
    finally:
        command(served.ready, name, then)


def test_a_fine_endpoint_is_fit(fit: Served) -> None:
    """Every check is fine, our own request is found in the telemetry, and the key is in no output: exit 0."""
    told = _doctor(fit, "--wait", "30s")
    assert told.code == 0, told.out + told.err
    assert told.out.startswith("FIT  local: 25 fine, of 25 checks\n")
    assert "our own request is there with status 200" in told.out
    assert "may list the keys" in told.out
    assert "\x1b" not in told.out
    assert told.err == ""
    assert fit.ready["key"] not in told.out
    assert fit.ready["client_secret"] not in told.out


def test_a_token_is_told_with_its_life(fit: Served) -> None:
    """Where it came from, how long it lives and when it is renewed; and what is on already is not switched on."""
    told = _doctor(fit, "--wait", "0s", "--json", "--fix", "app-insights", endpoint="local-token")
    assert "is on already: nothing is changed" in told.err
    found = _checks(told)["credential"]
    assert found["outcome"] == "ok"
    assert "the token comes from" in found["evidence"]
    assert "valid for" in found["evidence"]
    assert "renewed in" in found["evidence"]


def test_a_missing_key_is_no_entry(fit: Served) -> None:
    """Exit 4: the variable is named with what to type; what needs no key is checked all the same."""
    told = redline(
        fit.folder,
        *("doctor", "--url", fit.ready["scoring_uri"], "--key-env", "NOT_SET_ANYWHERE", "--hosting", "managed"),
    )
    assert told.code == 4
    assert "fail     credential" in told.out
    assert "NOT_SET_ANYWHERE is not set" in " ".join(told.out.split())
    assert "fix: read -rs NOT_SET_ANYWHERE && export NOT_SET_ANYWHERE" in told.out
    assert "ok       key_required" in told.out
    assert "unknown  authenticated" in told.out


def test_a_wrong_key_is_no_entry(fit: Served) -> None:
    """Exit 4: refused with 401, and the key is in no output and no file."""
    (fit.folder / "good.json").write_bytes(b'{"data": [[1, 2, 3]]}')
    flags = ("--key-env", "SCORING_KEY", "--hosting", "managed", "--payload", "good.json")
    told = redline(fit.folder, "doctor", "--url", fit.ready["scoring_uri"], *flags)
    assert told.code == 4
    assert "fail     authenticated" in told.out
    assert "refused with 401" in told.out
    assert KEY not in told.out + told.err
    assert files_with(KEY, fit.folder) == []


def test_a_payload_that_is_refused_is_told_with_its_name(fit: Served) -> None:
    """Exit 1: we are let in, and the answer is not good."""
    (fit.folder / "bad.json").write_text('{"rows": 1}')
    told = _doctor(fit, "--payload", "bad.json", "--wait", "0s", "--json")
    found = _checks(told)
    assert told.code == 1
    assert found["authenticated"]["outcome"] == "ok"
    assert found["answer"]["outcome"] == "fail"
    assert "payload `bad.json` was answered 424" in found["answer"]["evidence"]


def test_an_endpoint_without_a_key_is_open_to_the_world(tmp_path: Path) -> None:
    """ACI asks for none by default: a finding, with the call that closes it. Exit 1."""
    with serving(tmp_path, "--hosting", "aci") as served:
        told = _doctor(served, "--wait", "0s")
    assert told.code == 1
    assert told.out.startswith("NOT FIT  local: 1 failed")
    assert "anyone who knows the address can use it" in " ".join(told.out.split())
    assert 'Webservice(workspace, "local").update(auth_enabled=True)' in told.out


def test_application_insights_is_switched_on_after_a_yes(fit: Served) -> None:
    """Off is a warning with the command that mends it; the command says what it changes, and then finds it on."""
    with _changed(fit, "settings", {"app_insights": False}, {"app_insights": True}):
        off = _doctor(fit, "--wait", "0s")
        assert "Application Insights is off for blue" in " ".join(off.out.split())
        assert "fix: redline doctor local --fix app-insights" in off.out
        asked = _doctor(fit, "--fix", "app-insights", "--wait", "0s")
        assert asked.code == 2
        assert "sets appInsightsEnabled to true for deployment `blue` of endpoint `local`" in asked.err
        assert "hint: add --yes when that is meant" in asked.err
        mended = _doctor(fit, "--fix", "app-insights", "--yes", "--wait", "30s", "--json")
        assert mended.code == 0
        found = _checks(mended)
        assert found["app_insights"]["outcome"] == "ok"
        assert found["receiving"]["outcome"] == "ok"


def test_a_no_on_the_terminal_changes_nothing(fit: Served) -> None:
    """Whoever does not say yes has changed nothing: exit 2."""
    with _changed(fit, "settings", {"app_insights": False}, {"app_insights": True}):
        screen, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "doctor", "local", "--config", fit.config, "--fix", "app-insights"],
            cwd=fit.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=terminal,
            stdout=subprocess.DEVNULL,
            stderr=terminal,
        )
        os.close(terminal)
        os.write(screen, b"n\n")
        assert process.wait(60) == 2
        said = os.read(screen, 65_536).decode()
        os.close(screen)
        assert "Go on? [y/N]" in said
        assert "not confirmed, so nothing was changed" in said
        assert "app_insights" in _bad(_doctor(fit, "--wait", "0s", "--json"))


def test_what_cannot_be_mended_is_said(fit: Served) -> None:
    """Before anything is asked: exit 2, with what can."""
    told = _doctor(fit, "--fix", "app-insights\x1b[31m")
    assert told.code == 2
    assert "hint: --fix app-insights" in told.err
    assert "\x1b" not in told.err


def test_a_wrong_role_is_told_with_the_one_that_serves(fit: Served) -> None:
    """A reader gets no token: the action that is missing, the smallest role, and the line that gives it."""
    usual = {"roles": ["data-scientist", "monitoring-reader"]}
    with _changed(fit, "roles", {"roles": ["reader"]}, usual):
        told = _doctor(fit, "--wait", "0s", endpoint="local-token")
    said = " ".join(told.out.split())
    assert told.code == 4
    assert "fail role_keys may not get a token" in said
    assert "the smallest role is AzureML Data Scientist" in said
    assert "fix: az role assignment create --role 'AzureML Data Scientist' --assignee " in told.out
    assert "ok role_metrics" in said


def test_an_owner_is_told_that_less_serves(fit: Served) -> None:
    """More rights than needed are a warning; exit 0."""
    usual = {"roles": ["data-scientist", "monitoring-reader"]}
    with _changed(fit, "roles", {"roles": ["owner"]}, usual):
        told = _doctor(fit, "--wait", "0s", "--json")
    found = _checks(told)["rights"]
    assert told.code == 0
    assert found["outcome"] == "warn"
    assert "give rights to others (as Owner)" in found["evidence"]
    assert "az role assignment delete --role 'Owner'" in found["fix"]


def test_missing_diagnostic_settings_are_told_with_the_command_that_makes_them(fit: Served) -> None:
    """All three categories are named."""
    with _changed(fit, "settings", {"diagnostic_settings": False}, {"diagnostic_settings": True}):
        found = _checks(_doctor(fit, "--wait", "0s", "--json"))["diagnostics"]
    assert found["outcome"] == "warn"
    assert "AmlOnlineEndpointTrafficLog" in found["evidence"]
    assert found["fix"].startswith("az monitor diagnostic-settings create --name redline --resource /subscriptions/")


def test_telemetry_that_may_not_be_read_is_told_with_the_role(fit: Served) -> None:
    """The query for our own request is refused: exit 1, and the rest is told."""
    fit.faults({"status": 403, "body": '{"error": {"code": "InsufficientAccessError", "message": "no access"}}'})
    told = _doctor(fit, "--wait", "20s", "--json")
    found = _checks(told)["receiving"]
    assert told.code == 1
    assert found["outcome"] == "fail"
    assert "may not read AppRequests" in found["evidence"]
    assert "Log Analytics Reader" in found["fix"]
    assert _bad(told) == {"receiving"}


def test_a_wrong_secret_is_no_entry_and_the_endpoint_is_checked_all_the_same(fit: Served) -> None:
    """Nobody is signed in to Azure: exit 4; what needs nobody is still told."""
    with _changed(fit, "settings", {"secret_expired": True}, {"secret_expired": False}):
        told = _doctor(fit, "--wait", "0s", "--json")
    found = _checks(told)
    assert told.code == 4
    assert found["sign_in"]["outcome"] == "fail"
    assert found["sign_in"]["fix"]
    assert found["answer"]["outcome"] == "ok"
    assert found["role_keys"]["outcome"] == "unknown"


def test_settings_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    """Workers against concurrency, time-outs beyond the platform, one instance, and redline.toml against Azure."""
    with serving(tmp_path, *UNFIT) as served:
        config = Path(served.config)
        text = config.read_text().replace("instances = 1", "instances = 3")
        (tmp_path / "other.toml").write_text(text)
        told = redline(tmp_path, "doctor", "local", "--config", "other.toml", "--wait", "0s")
    said = " ".join(told.out.split())
    assert told.code == 1
    assert "warn workers each instance is given 4 requests at a time, but WORKER_COUNT is 2" in said
    assert "fail timeouts the request timeout is 400 s, but managed keeps 180 s at most" in said
    assert "warn instances one instance" in said
    assert "redline.toml says instances = 3, Azure says 1" in said
    assert "--set environment_variables.WORKER_COUNT=4" in told.out


@contextmanager
def _server(*, leaf: trustme.LeafCert | None = None, date: str | None = None) -> Iterator[str]:
    """The scoring URI of a server that refuses whoever has no key, with a certificate or a clock of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_known = self.headers.get("Authorization") == f"Bearer {KEY}"
            self.send_response(200 if is_known else 401)
            self.send_header("Content-Length", "15")
            self.end_headers()
            self.wfile.write(b'{"result": [1]}')

        def date_time_string(self, timestamp: float | None = None) -> str:
            return date or super().date_time_string(timestamp)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if leaf is not None:
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{'http' if leaf is None else 'https'}://localhost:{server.server_address[1]}/score"
    finally:
        server.shutdown()
        server.server_close()


def _toml(folder: Path, uri: str, *lines: str) -> tuple[str, ...]:
    text = ["[endpoints.churn]", f'scoring_uri = "{uri}"', 'key_env = "SCORING_KEY"', *lines]
    (folder / "redline.toml").write_text("\n".join(text) + "\n")
    return ("doctor", "churn", "--json")


@pytest.mark.parametrize(
    ("days", "outcome", "words"),
    [(-3, "fail", "expired on"), (20, "warn", "holds until")],
)
def test_a_certificate_that_ends_is_told_in_days(days: int, outcome: str, words: str, tmp_path: Path) -> None:
    """One that ended keeps everybody out: exit 4, with the day; one that ends soon is told before."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    now = datetime.now(UTC)
    leaf = authority.issue_cert("localhost", not_before=now - timedelta(days=30), not_after=now + timedelta(days=days))
    with _server(leaf=leaf) as uri:
        told = redline(tmp_path, *_toml(tmp_path, uri, 'ca_file = "ca.pem"'))
    found = _checks(told)
    assert (found["certificate"]["outcome"], words in found["certificate"]["evidence"]) == (outcome, True)
    assert told.code == (4 if days < 0 else 0)
    assert found["tls"]["outcome"] == ("fail" if days < 0 else "ok")
    assert found["authenticated"]["outcome"] == ("fail" if days < 0 else "ok")


def test_a_clock_that_is_an_hour_off_is_told(tmp_path: Path) -> None:
    """By the Date header: exit 1, with how far at least."""
    with _server(date=f"{datetime.now(UTC) + timedelta(hours=1):%a, %d %b %Y %H:%M:%S} GMT") as uri:
        told = redline(tmp_path, *_toml(tmp_path, uri))
    found = _checks(told)["clock"]
    assert told.code == 1
    assert found["outcome"] == "fail"
    assert "behind the endpoint's Date header" in found["evidence"]


def test_without_azure_the_rest_is_unknown_and_says_what_is_missing(tmp_path: Path) -> None:
    """A plain endpoint is fit as far as known: exit 0, and nothing of Azure is asked."""
    with _server() as uri:
        told = redline(tmp_path, *_toml(tmp_path, uri))
    found = _checks(told)
    assert told.code == 0
    assert found["role_keys"]["outcome"] == "unknown"
    assert "neither arm_id nor workspace_id is set" in found["sign_in"]["evidence"]
    assert "redline init" in found["sign_in"]["fix"]


@pytest.mark.parametrize(
    ("uri", "failed", "words"),
    [
        ("http://127.0.0.1:1/score", "tcp", "nothing listens there"),
        ("https://no-such-host.invalid/score", "dns", "no-such-host.invalid"),
    ],
)
def test_an_endpoint_that_cannot_be_reached_is_no_entry(uri: str, failed: str, words: str, tmp_path: Path) -> None:
    """The first wall is told; what lies behind it is unknown: exit 4."""
    told = redline(tmp_path, *_toml(tmp_path, uri))
    found = _checks(told)
    assert told.code == 4
    assert found[failed]["outcome"] == "fail"
    assert words in found[failed]["evidence"]
    assert {found[name]["outcome"] for name in ("key_required", "authenticated", "answer")} == {"unknown"}


def test_a_mistake_in_the_file_is_one_line_and_a_hint(tmp_path: Path) -> None:
    """Nothing is sent: exit 2, with file and line."""
    (tmp_path / "redline.toml").write_text('[endpoints.churn]\nscoring_uri = "nowhere"\n')
    told = redline(tmp_path, "doctor", "churn")
    assert told.code == 2
    assert "redline.toml:2" in told.err
    assert told.out == ""
