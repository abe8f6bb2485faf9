"""Causes in the scoring script and its server: exceptions, its own time-out, its own statuses, refused payloads."""

from __future__ import annotations

from monitor.diagnosis.facts import Facts
from monitor.diagnosis.ids import ABSENT, PRESENT
from monitor.diagnosis.rule import NOBODY, Rule, Sign, Witnesses
from monitor.diagnosis.setting import Setting
from monitor.diagnosis.signs import (
    NEEDS_LOG,
    NEEDS_TELEMETRY,
    SERVER_ANSWERED,
    around,
    by_the_front_end,
    in_traffic_log,
    read_logs,
    server_row,
    told_first,
    with_clue,
)
from scoring.endpoint import Hosting
from scoring.served import EventKind

_ENDS = (
    EventKind.WORKER_EXITED,
    EventKind.WORKER_KILLED,
    EventKind.WORKER_TIMED_OUT,
    EventKind.OUT_OF_MEMORY,
)
_REFUSED = ("bad_payload", "content_type", "too_large")
_UNSERVED = ("503", "502", "424", "500", "504", "connect_refused", "conn_reset", "empty_reply")


def _raised(facts: Facts, _: Setting) -> bool:
    """An exception is behind the answer, as far as anything tells."""
    if facts.clue in ("scoring_timeout", "server_error") or facts.exception_kind in ("timeout", "server"):
        return False
    if facts.exception is not None and facts.function_failed is not False:
        if facts.exception_is_sure or facts.function_failed is True or facts.server_status == 500:
            return True
        return not facts.near(*_ENDS)
    if facts.clue == "script_error":
        return True
    if facts.model_said not in (None, 500) or facts.no_exception:
        return False
    return facts.function_failed is True or (facts.server == PRESENT and facts.server_status == 500)


def _exception(sure: bool) -> Sign:
    text = "with its exception" if sure else "with an exception of the same seconds, which carries no id"

    def by(facts: Facts, _: Setting) -> Witnesses:
        held = facts.exception is not None and facts.exception_is_sure is sure
        return frozenset({facts.exception_by}) if held and facts.exception_by else NOBODY

    return Sign(text, by)


def _is_explicit(facts: Facts) -> bool:
    """An exception is told of, not only a 500, which a script may also return by itself."""
    return facts.exception is not None or facts.clue == "script_error"


def _agreed(facts: Facts, _: Setting) -> Witnesses:
    """The caller's status and the server's own, of the same id, both say that the script failed."""
    told = (
        _is_explicit(facts) and facts.server == PRESENT and not facts.is_matched_by_time and facts.server_status == 500
    )
    held = told and facts.server_by != facts.source and facts.status in (500, 502, 424) and facts.server_by
    return frozenset({facts.source, facts.server_by}) if held and facts.server_by else NOBODY


EXCEPTION = Rule(
    id="D01",
    when=_raised,
    cause=lambda facts, _: (
        f"`run()` of the scoring script raised {_in_words(facts)}"
        if facts.exception
        else "`run()` of the scoring script raised an exception"
    ),
    next_step=lambda facts, setting: _mend(facts, setting),
    signs=(
        Sign("with `x-ms-run-function-failed: True`", told_first(lambda facts: facts.function_failed is True)),
        with_clue("script_error", text="with the server's text for a script that raised"),
        _exception(sure=True),
        _exception(sure=False),
        server_row(
            "where the server's own row says 500", lambda facts: _is_explicit(facts) and facts.server_status == 500
        ),
        Sign("where the row of the same id in another source agrees", _agreed),
    ),
    against=(
        SERVER_ANSWERED,
        Sign("with `x-ms-run-function-failed: False`", told_first(lambda facts: facts.function_failed is False)),
    ),
    needs=(NEEDS_TELEMETRY, NEEDS_LOG),
    key=lambda facts: facts.exception,
)


def _in_words(facts: Facts) -> str:
    _, kind, frame, message = facts.exception or ("", "", "", "")
    where = f" in {frame.replace(':', ', ')}" if frame else ""
    return f"{kind}{where}: {message}" if message else f"{kind}{where}"


def _mend(facts: Facts, setting: Setting) -> str:
    if facts.exception is None:
        return f"{read_logs(setting)} and look for `Encountered Exception`"
    if facts.exception[1] in ("MemoryError", "OutOfMemoryError"):
        return "send fewer rows per request, or give the deployment more memory; then score one payload alone"
    frame = facts.exception[2].replace(":", ", function ") or "the scoring script"
    return f"mend {frame}; replay one failed payload with `redline serve --entry-script score.py`"


SCORING_TIMEOUT = Rule(
    id="D10",
    when=lambda facts, _: facts.clue == "scoring_timeout" or facts.exception_kind == "timeout",
    cause=lambda *_: "`run()` passed SCORING_TIMEOUT_MS, the inference server's own time-out, which answers 500",
    next_step=lambda _, setting: (
        "raise SCORING_TIMEOUT_MS in the deployment's environment, or make one request's work smaller"
        if setting.hosting is not Hosting.AKS
        else "raise scoring_timeout_ms: `service.update(scoring_timeout_ms=...)`, or make one request's work smaller"
    ),
    signs=(
        with_clue("scoring_timeout", text="with the text `Scoring timeout after`"),
        Sign(
            "with a `UserScriptTimeout` exception",
            lambda facts, _: (
                frozenset({facts.exception_by}) if facts.exception_kind == "timeout" and facts.exception_by else NOBODY
            ),
        ),
        server_row("where the server's own row says 500", lambda facts: facts.server_status == 500),
    ),
    against=(SERVER_ANSWERED,),
    needs=(NEEDS_TELEMETRY,),
)
NOT_LOADED = Rule(
    id="D24",
    when=lambda facts, _: (
        facts.label in _UNSERVED
        and facts.function_failed is None
        and facts.clue != "overloaded"
        and (facts.exception is None or not facts.exception_is_sure)
        and bool(facts.near(EventKind.SCRIPT_FAILED_TO_LOAD))
    ),
    cause=lambda *_: "the scoring script did not load: its imports or `init()` raised, so that no worker was ready",
    next_step=lambda _, setting: f"{read_logs(setting)}; mend what `init()` raises, try with `redline serve`",
    signs=(
        around(EventKind.SCRIPT_FAILED_TO_LOAD, text="while the script failed to load"),
        with_clue("not_ready", "closed", text="with a text that says that no replica answered"),
        around(EventKind.BACK_OFF, EventKind.READINESS_FAILED, text="while the container was started again and again"),
    ),
    against=(SERVER_ANSWERED,),
)
OWN_STATUS = Rule(
    id="D26",
    when=lambda facts, _: _is_own_status(facts),
    cause=lambda facts, _: f"the scoring script itself answered {facts.model_said}",
    next_step=lambda facts, _: (
        f"look for the place in score.py that returns {facts.model_said}; the answer's body says what it found"
    ),
    signs=(
        Sign(
            "with the inference server's own headers",
            told_first(lambda facts: facts.function_failed is not None),
        ),
        server_row("where the server's own row has that status", lambda facts: facts.server_status is not None),
        Sign(
            "where the traffic log has that status as the model's",
            lambda facts, _: (
                frozenset({"traffic log"}) if facts.front == PRESENT and facts.model_status is not None else NOBODY
            ),
        ),
    ),
    needs=(NEEDS_TELEMETRY,),
    key=lambda facts: facts.model_said,
)


def _is_own_status(facts: Facts) -> bool:
    said = facts.model_said
    if not facts.from_model or said is None or said < 400 or (said in (404, 405, 431) and facts.server != PRESENT):
        return False
    if said == 400 and facts.clue is None and not facts.said:
        return False  # as likely refused before the script: only the text tells
    return said != 500 or (facts.no_exception and facts.function_failed is True)


PAYLOAD = Rule(
    id="D27",
    when=lambda facts, _: (
        facts.model_said in (413, 415, 422)
        or facts.status in (413, 415, 422)
        or (400 in (facts.model_said, facts.status) and (facts.clue in _REFUSED or not facts.from_model))
    ),
    cause=lambda facts, _: {
        413: "the payload is larger than the service takes",
        415: "the payload's content type is not the one that the script's schema wants",
    }.get(facts.model_said or facts.status or 0, "the payload was refused before `run()`: not what the script reads"),
    next_step=lambda facts, _: {
        413: "send fewer rows per request",
        415: 'set content_type = "application/json" in the scenario',
    }.get(facts.model_said or facts.status or 0, "compare the payload with /swagger.json beside the scoring URI"),
    signs=(
        with_clue(*_REFUSED, text="with a text about the payload"),
        server_row("where the server's own row has that status", lambda facts: (facts.server_status or 0) // 100 == 4),
        in_traffic_log(),
    ),
    key=lambda facts: facts.model_said or facts.status,
)
METHOD = Rule(
    id="D28",
    when=lambda facts, _: facts.status == 405 or facts.model_said == 405,
    cause=lambda *_: "the scoring path does not take the method that was used",
    next_step=lambda *_: "send POST to the scoring URI; GET belongs to `/` and `/swagger.json`",
    signs=(by_the_front_end(405), in_traffic_log()),
)
SERVER_BUG = Rule(
    id="D34",
    when=lambda facts, setting: (
        facts.clue == "server_error"
        or facts.exception_kind == "server"
        or (setting.hosting is Hosting.MANAGED and facts.status == 500 and not facts.from_model and facts.clue is None)
    ),
    cause=lambda facts, setting: (
        "the managed platform itself failed: a script's exception is 424 here"
        if setting.hosting is Hosting.MANAGED and facts.status == 500
        else "the inference server itself failed, not the script"
    ),
    next_step=lambda _, setting: (
        "open a support ticket and quote the answer's x-request-id"
        if setting.hosting is Hosting.MANAGED
        else f"{read_logs(setting)}; compare the version in x-ms-server-version with the current one"
    ),
    signs=(
        with_clue("server_error", text="with the server's text for an error of its own"),
        Sign(
            "with an exception of the server itself",
            lambda facts, _: (
                frozenset({facts.exception_by}) if facts.exception_kind == "server" and facts.exception_by else NOBODY
            ),
        ),
        Sign(
            "without a row of the model's server, which the platform did not reach",
            lambda facts, _: frozenset({"App Insights"}) if facts.server == ABSENT else NOBODY,
        ),
        in_traffic_log(),
    ),
    needs=(NEEDS_TELEMETRY,),
)
