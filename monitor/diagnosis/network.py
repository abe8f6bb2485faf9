"""Causes on the way and at the caller: names, connections, certificates, proxies, the caller's own walls."""

from __future__ import annotations

from monitor.diagnosis.facts import Facts
from monitor.diagnosis.ids import ABSENT, PRESENT
from monitor.diagnosis.rule import NOBODY, Rule, Sign
from monitor.diagnosis.signs import (
    NEEDS_LOG,
    NEEDS_TELEMETRY,
    NO_SERVER_ROW,
    SERVER_ANSWERED,
    in_traffic_log,
    told_first,
)
from scoring.attempt import UNREACHED, Failure
from scoring.status import failure_meaning

_WAY = frozenset(
    {
        *UNREACHED,
        Failure.PROTOCOL_ERROR,
    }
)
_BODY = frozenset(
    {
        Failure.BODY_INVALID,
        Failure.ERROR_IN_BODY,
        Failure.SCHEMA_MISMATCH,
        Failure.GOLDEN_MISMATCH,
        Failure.BODY_TRUNCATED,
    }
)
_WALL = frozenset({Failure.OUT_OF_FILES, Failure.OUT_OF_PORTS})


def _cause(facts: Facts, *_: object) -> str:
    return failure_meaning(Failure(facts.label)).cause


def _next_step(facts: Facts, *_: object) -> str:
    return failure_meaning(Failure(facts.label)).next_step


def _seen(text: str) -> Sign:
    return Sign(text, told_first(lambda _: True))


_SOME_PASS = Sign(
    "in a period in which other requests were answered at the same address",
    lambda _, setting: frozenset({"client"}) if setting.good.count else NOBODY,
)
WAY = Rule(
    id="D19",
    when=lambda facts, _: facts.label in _WAY,
    cause=lambda facts, _: f"{failure_meaning(Failure(facts.label)).name}: {_cause(facts)}",
    next_step=_next_step,
    signs=(_seen("that got no answer, as the caller's own socket says"), NO_SERVER_ROW),
    against=(_SOME_PASS, SERVER_ANSWERED),
    key=lambda facts: facts.label,
)
SILENT = Rule(
    id="D20",
    when=lambda facts, _: facts.label in _BODY,
    cause=lambda facts, _: f"silent failure, {failure_meaning(Failure(facts.label)).name}: {_cause(facts)}",
    next_step=_next_step,
    signs=(
        _seen("answered with a body that is not what the scenario expects"),
        Sign(
            "that the model's server counts as answered",
            lambda facts, _: (
                frozenset({facts.server_by})
                if facts.server == PRESENT and facts.server_by and (facts.server_status or 0) // 100 == 2
                else NOBODY
            ),
        ),
    ),
    needs=(NEEDS_LOG,),
    key=lambda facts: facts.label,
)
LARGE = Rule(
    id="D31",
    when=lambda facts, _: facts.label == Failure.BODY_TOO_LARGE,
    cause=_cause,
    next_step=_next_step,
    signs=(_seen("answered with more bytes than the scenario reads"), SERVER_ANSWERED),
)
WALL = Rule(
    id="D30",
    when=lambda facts, _: facts.label in _WALL,
    cause=lambda facts, _: f"{failure_meaning(Failure(facts.label)).name}: {_cause(facts)}",
    next_step=_next_step,
    signs=(_seen("that this machine could not send"), NO_SERVER_ROW),
    key=lambda facts: facts.label,
)
REDIRECT = Rule(
    id="D29",
    when=lambda facts, _: facts.label == Failure.REDIRECT_REFUSED or (facts.status or 0) // 100 == 3,
    cause=lambda *_: "the address answers with a redirect, and the key is never sent to another place",
    next_step=lambda *_: "use the final address as scoring URI, https instead of http where it says so",
    signs=(_seen("answered with a redirect"), in_traffic_log(), NO_SERVER_ROW),
)
NO_CREDENTIAL = Rule(
    id="D38",
    when=lambda facts, _: facts.label == Failure.AUTH_FAILED,
    cause=_cause,
    next_step=_next_step,
    signs=(_seen("that were not sent for want of a credential"), NO_SERVER_ROW),
)
ENDED = Rule(
    id="D37",
    when=lambda facts, _: facts.label == Failure.ABORTED,
    cause=_cause,
    next_step=_next_step,
    signs=(_seen("in flight when the run ended"),),
)
PROXY = Rule(
    id="D35",
    when=lambda facts, _: facts.clue == "page" and facts.status is not None and not facts.from_model,
    cause=lambda *_: (
        "a page of a proxy or gateway, not an answer of the endpoint: something on the way answered in its place"
    ),
    next_step=lambda *_: (
        "look at the page's text and `server` header; try once with `NO_PROXY=HOST` or from another network"
    ),
    signs=(
        _seen("answered with an HTML page"),
        Sign(
            "that never reached the endpoint, whose own record of that time has arrived",
            lambda facts, _: (
                frozenset({"App Insights"})
                if facts.server == ABSENT
                else frozenset({"traffic log"})
                if facts.front == ABSENT
                else NOBODY
            ),
        ),
    ),
    against=(in_traffic_log(),),
    needs=(NEEDS_TELEMETRY,),
)
