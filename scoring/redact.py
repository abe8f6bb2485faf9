"""Secrets out of a text: the values we hold, headers that carry one, and shapes that only a secret has.

Text without a secret comes back byte-identical. What is taken out becomes `[redacted]`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, quote_plus

MARK = "[redacted]"
_MIN_SECRET = 6  # a shorter value would take ordinary words out of every text
_CUT = 12  # length of a prefix or suffix of a secret that is still recognised

_HEADER = (
    r"(?:(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|api-key|x-functions-key|x-ms-authorization-auxiliary"
    r"|ocp-apim-[a-z-]*key)"
)
_FIELD = (
    r"(?:primary_?key|secondary_?key|account_?key|access_?token|refresh_?token|id_token|client_?secret|password|passwd"
    r"|api_?key|shared_?access_?key|key_?value)"
)

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # PEM blocks that are private; certificates are public
    (
        re.compile(r"-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY)-----.*?(?:-----END (?P=kind)-----|\Z)", re.DOTALL),
        MARK,
    ),
    # "Authorization": "…", 'api-key': '…', ["api-key", "…"], \"Cookie\": \"…\", b'Cookie', b'…'
    (
        re.compile(
            rf"(?i)(?P<head>\\?[\"'](?:{_HEADER}|{_FIELD})\\?[\"']\s*[:,=]\s*b?(?P<quote>(?P<escaped>\\)?[\"']))"
            r"(?P<value>(?:(?(escaped)(?!)|\\.)|(?!(?P=quote))[^\r\n])+)"
        ),
        rf"\g<head>{MARK}",
    ),
    # Authorization: …, -H 'api-key: …', header=…; up to the end of the line or the closing quote
    (re.compile(rf"(?i)(?<![\w-])(?P<head>{_HEADER}\s*[:=]\s*)(?P<value>[^\s\"'][^\r\n\"']*)"), rf"\g<head>{MARK}"),
    # Bearer and Basic anywhere, unless a word follows
    (
        re.compile(
            r"(?i)(?P<head>\b(?:bearer|basic)(?:\s+|%20|\+))(?!(?-i:[A-Z]?[a-z]+)(?![\w~+/%=-]))(?P<value>[\w.~+/%-]{8,}=*)"
        ),
        rf"\g<head>{MARK}",
    ),
    # JSON Web Tokens, cut ones too
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"), MARK),
    # connection strings
    (
        re.compile(
            r"(?i)(?P<head>\b(?:AccountKey|SharedAccessKey|SharedSecret|InstrumentationKey|SharedAccessSignature"
            r"|Password|Pwd|client_secret|access_token|refresh_token)\s*=\s*)(?P<value>[^\s;\"'&,)]{4,})"
        ),
        rf"\g<head>{MARK}",
    ),
    # signatures and keys in query strings
    (
        re.compile(
            r"(?i)(?P<head>[?&;](?:sig|code|api[-_]?key|subscription-key|key|token)=)(?P<value>[^\s&\"'<>;]{6,})"
        ),
        rf"\g<head>{MARK}",
    ),
    # user:password@host
    (
        re.compile(r"(?P<head>\b[a-zA-Z][a-zA-Z0-9+.-]{0,20}://[^\s/:@\"'<>]*:)(?P<value>[^\s/@\"'<>]+)(?=@)"),
        rf"\g<head>{MARK}",
    ),
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without any given secret, in whichever form it travels, and without what looks like one."""
    held = frozenset(secret for secret in secrets if len(secret) >= _MIN_SECRET)
    if held:
        for form in _forms_of_all(held):
            text = text.replace(form, MARK)
        for secret in held:
            text = _without_cuts(text, secret)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def _without_cuts(text: str, secret: str) -> str:
    """The text without any piece of the secret that is its beginning or its end and at least `_CUT` long."""
    if len(secret) <= _CUT:
        return text
    for whole, backwards in ((secret, False), (secret[::-1], True)):
        text = text[::-1] if backwards else text
        start = text.find(whole[:_CUT])
        while start >= 0:
            end = start + _shared_length(text[start : start + len(whole)], whole)
            mark = MARK[::-1] if backwards else MARK
            text = text[:start] + mark + text[end:]
            start = text.find(whole[:_CUT], start + len(mark))
        text = text[::-1] if backwards else text
    return text


def _shared_length(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@lru_cache(maxsize=64)
def _forms_of_all(secrets: frozenset[str]) -> tuple[str, ...]:
    """Every form of every secret, longest first, so that no form leaves a piece of a longer one behind."""
    return tuple(sorted({form for secret in secrets for form in _forms(secret)}, key=lambda form: (-len(form), form)))


def _forms(secret: str) -> Iterable[str]:
    """The secret plain, URL-encoded, JSON-escaped, hex, and base64 alone or inside something longer."""
    yield from (secret, quote(secret, safe=""), quote(secret), quote_plus(secret))
    yield from (json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[3:-3], repr(secret)[1:-1])
    raw = secret.encode()
    yield from (raw.hex(), raw.hex().upper())
    for shift in range(3):  # base64 of the secret wherever it starts in the encoded text
        coded = base64.b64encode(b"\0" * shift + raw).decode()
        inner = coded[(shift * 8 + 5) // 6 : len(coded.rstrip("=")) - 1]
        yield from (inner, inner.replace("+", "-").replace("/", "_"))
