"""Edge: notices leave for people: a webhook by requests, all else by Apprise. Secret addresses stay here."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote

from monitor.health.deciding import Notice
from monitor.health.outbox import Outcome
from monitor.health.wording import Context, Message, message_of
from scoring.alertplan import AlertPlan
from scoring.errors import Exit, RedlineError
from scoring.health import Health, NoticeKind
from scoring.redact import redact
from scoring.text import harmless

CONNECT_S, READ_S = 5.0, 10.0
LOG = "log"
FEWEST_CHARS = 4
"""A shorter part of an address is no secret."""


@dataclass(frozen=True)
class Channel:
    """One place where notices go. `name` is stable and no secret; `send` never raises for a receiver's fault."""

    name: str
    send: Callable[[Message, Sequence[Notice]], Outcome]

    def tell(self, notices: Sequence[Notice], context: Context) -> Outcome:
        return self.send(message_of(notices, context), notices)


def channels_of(alerts: AlertPlan, environ: Mapping[str, str], say: Callable[[str], None]) -> tuple[Channel, ...]:
    """The channels that [alerts] names, or the watcher's own log. RedlineError for a missing secret."""
    found = []
    if alerts.webhook is not None:
        found.append(_webhook("webhook", alerts.webhook))
    if alerts.webhook_env is not None:
        found.append(_webhook("webhook_env", _value(alerts.webhook_env, environ)))
    for source, text in _apprise_texts(alerts, environ):
        for number, address in enumerate(text.split(), 1):
            found.append(_apprise(f"{source}:{number}", address))
    return tuple(found) or (Channel(LOG, lambda message, _: _logged(message, say)),)


def ping(address: str) -> str | None:
    """None when the dead-man's service took the ping, else why not."""
    import requests

    try:
        with requests.get(address, timeout=(CONNECT_S, READ_S), stream=True, allow_redirects=False) as answer:
            return None if answer.status_code < 400 else f"answered {answer.status_code}"
    except requests.RequestException as error:
        return _said(error)


def secret_of(variable: str | None, environ: Mapping[str, str]) -> str | None:
    """The value of the variable that the file names; None where it names none. RedlineError where it is not set."""
    return None if variable is None else _value(variable, environ)


def _value(variable: str, environ: Mapping[str, str]) -> str:
    value = environ.get(variable, "").strip()
    if not value:
        hint = f"read -rs {variable} && export {variable}"
        raise RedlineError(f"[alerts]: environment variable {variable} is not set", hint, Exit.NO_ENTRY)
    return value


def _apprise_texts(alerts: AlertPlan, environ: Mapping[str, str]) -> list[tuple[str, str]]:
    texts = []
    if alerts.apprise_env is not None:
        texts.append(("apprise_env", _value(alerts.apprise_env, environ)))
    if alerts.apprise_file is not None:
        try:
            lines = Path(alerts.apprise_file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            message = f"[alerts]: {alerts.apprise_file} cannot be read: {getattr(error, 'strerror', None) or 'no text'}"
            raise RedlineError(message, f"ls -l {alerts.apprise_file}", Exit.NO_ENTRY) from error
        texts.append(("apprise_file", " ".join(line for line in lines if not line.lstrip().startswith("#"))))
    return texts


def _logged(message: Message, say: Callable[[str], None]) -> Outcome:
    say("\n  ".join((message.title, *message.lines)))
    return Outcome()


def _webhook(name: str, address: str) -> Channel:
    if not address.startswith(("http://", "https://")):
        hint = "an https address, which takes a POST of JSON"
        raise RedlineError(f"[alerts]: {name} holds no http address (value not shown)", hint)
    return Channel(name, lambda message, notices: _posted(address, message, notices))


def _posted(address: str, message: Message, notices: Sequence[Notice]) -> Outcome:
    """One POST. 2xx is a delivery; other 4xx than 408 and 429 refuse the notice, all else is tried again."""
    import requests

    headers = {"User-Agent": "redline", "Idempotency-Key": _idempotency_key(notices)}
    try:
        with requests.post(
            address,
            json=message.document,
            headers=headers,
            timeout=(CONNECT_S, READ_S),
            stream=True,
            allow_redirects=False,
        ) as answer:
            status, wish = answer.status_code, answer.headers.get("Retry-After", "")
    except (requests.RequestException, ValueError) as error:
        return Outcome(_said(error))
    if 200 <= status < 300:
        return Outcome()
    is_refused = 400 <= status < 500 and status not in (408, 429)
    return Outcome(f"answered {status}", is_refused, _wish_s(wish))


def _idempotency_key(notices: Sequence[Notice]) -> str:
    """The same for the same notice, however often it is sent."""
    first, last = notices[0], notices[-1]
    one = f"{first.key}-{first.number}"
    return one if len(notices) == 1 else f"{one}-{last.key}-{last.number}-{len(notices)}"


def _wish_s(text: str) -> float | None:
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError, OSError):
        return None


def _said(error: Exception) -> str:
    """Why nothing was delivered: the system's own words or the name of the error, never the address it holds."""
    pending: list[object] = [error]
    seen: list[object] = []
    while pending:
        one = pending.pop(0)
        if not isinstance(one, BaseException) or one in seen:
            continue
        if isinstance(one, OSError) and isinstance(one.errno, int) and one.strerror:
            return f"no answer: {harmless(one.strerror, max_chars=100)}"
        seen.append(one)
        pending += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return f"no answer: {type(error).__name__}"


def _apprise(name: str, address: str) -> Channel:
    import apprise

    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.addHandler(_EAR)
    target = apprise.Apprise()
    if not target.add(address):
        hint = "an address as Apprise writes it: mailto://…, slack://…, msteams://…, pagerduty://…"
        raise RedlineError(f"[alerts]: {name} is no Apprise address (value not shown)", hint)
    held = _held_by(address)
    return Channel(name, lambda message, notices: _notified(target, held, message, notices))


def _notified(target: object, held: Sequence[str], message: Message, notices: Sequence[Notice]) -> Outcome:
    """One attempt. The text is told as text: where the receiver takes HTML, Apprise makes it of it."""
    kind = "success" if _kind(notices) is Health.OK else "failure" if _kind(notices) is Health.FAILED else "warning"
    words = {"body": message.text, "title": message.title, "notify_type": kind, "body_format": "text"}
    heard: list[str] = []
    _heard.set(heard)
    done = target.notify(**words)  # type: ignore[attr-defined]
    if done:
        return Outcome()
    said = harmless(redact(heard[-1], held), max_chars=200) if heard else "it does not say why"
    return Outcome(f"Apprise could not deliver it: {said}")


class _Ear(logging.Handler):
    """Keeps what Apprise warns of, for whoever listens in the same context; its threads are not ours."""

    def emit(self, record: logging.LogRecord) -> None:
        heard = _heard.get()
        if heard is not None:
            heard.append(record.getMessage())


_heard: ContextVar[list[str] | None] = ContextVar("heard", default=None)
_EAR = _Ear(logging.WARNING)


def _held_by(address: str) -> tuple[str, ...]:
    """Every part of the address that may be a secret: all but the scheme and a host with a dot in it."""
    rest = address.partition("://")[2]
    parts = [part for part in re.split(r"[/:@?&=,]", rest) if len(part) >= FEWEST_CHARS]
    host = re.split(r"[/:?]", rest.rpartition("@")[2])[0]
    found = {part for part in parts if part != host or "." not in host}
    return tuple(sorted(found | {unquote(part) for part in found}, key=len, reverse=True))


def _kind(notices: Sequence[Notice]) -> Health:
    """The worst state that is told."""
    states = [Health.OK if notice.kind is NoticeKind.RESOLVE else notice.state for notice in notices]
    return max(states, key=lambda state: state.rank)
