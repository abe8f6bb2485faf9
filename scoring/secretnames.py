"""Secrets known by the name that stands before them: headers, fields, options, elements, in any common notation.

`Authorization: Bearer …`, `{"password": "…"}`, `('api-key', b'…')`, `AccountKey=…;`, `--token …`, `<secret>…</secret>`.
InstrumentationKey is an identifier, but it lets anyone write telemetry: it is taken out and not reported as a leak.
"""

from __future__ import annotations

import re

from scoring.secretforms import Form, Judge

MARK = "[redacted]"
LONG = 1024
"""Longer values are not looked into: under a name that secrets have, they are secrets. It bounds the time."""

_FLAGS = re.ASCII | re.IGNORECASE
_QUOTE = r"(?:\\{0,8}[\"'`]|&(?:quot|apos|#0?3[49]|#x2[27]);|%2[27]|\\{1,4}u002[27])"
# After the name: its closing quote, then what joins it to its value. A comma joins quoted pairs only.
_VALUE = rf"{_QUOTE}?value{_QUOTE}?\s{{0,8}}[:=]"
_JOIN = (
    rf"(?P<name_quote>{_QUOTE})?\]?"
    rf"(?P<join>,?\s{{1,40}}{_VALUE}|,\s{{0,40}}{_VALUE}|\s{{0,8}}:\s{{0,8}}\{{\s{{0,40}}{_VALUE}"
    r"|\s{0,8}(?::=|=>|[:=]|%3A|%3D|(?(name_quote),|(?!)))|[ ]is[ ])"
)
_OPEN = (
    rf"(?:(?:\s|%20|\+){{0,40}}(?:[\[({{]\s{{0,40}})?[bur]{{0,2}}(?P<quote>{_QUOTE})"
    r"|(?:[ \t]|%20|\+){0,8}(?:[|>][+-]?[ ]{0,8}\r?\n[ ]{1,40})?)"
)
_QUOTED = r"(?:(?!(?<!\\)(?P=quote))[^\r\n])+"
_TOKEN = r"[^\s\"'`;&,<>]{4,}"  # noqa: S105, the rest of a pattern
_LITERAL = r"[^\s\"',;)}\]]+"
# To the end of the line, of the quoted text around it, or of an escaped line
_LINE = r"(?:[^\r\n\"'\\]|\\(?![rn])|(?<==)\"[^\"\r\n]*\")+"
_SCHEME = r"(?:(?P<scheme>bearer|basic|digest|negotiate|ntlm|apikey|token|sharedkey(?:lite)?)(?:\s{1,8}|%20|\+))?"

_STEM = r"(?P<stem>key|token|secret|passw(?:or)?d|passphrase|pwd|[_-]pass|[_-]pat|accesssignature)"
_TAIL = r"(?P<tail>(?:[_-]?(?:value|key|token|text|primary|secondary|b64|base64|access[_-]?key))?[_-]?\d?)"
_FIELD_ANCHORS = (
    "key",
    "token",
    "secret",
    "passw",
    "passphrase",
    "pwd",
    "_pass",
    "-pass",
    "_pat",
    "-pat",
    "accesssignature",
)
_LEFT_OF_NAME = re.compile(r"[\w.-]*", re.ASCII)

_LOGIN = re.compile(r"login\s+\S+\s+\Z")
_NOTHING = frozenset(
    ("none", "null", "nil", "true", "false", "undefined", "missing", "empty", "required", "invalid", "hidden", "unset")
)
_PLACEHOLDER = re.compile(
    r"\*+|x{3,}|\.{3,}|…+|<[a-z_ .-]{1,40}>|\$[a-z_]{1,60}|\$?\{{1,3} ?[a-z_. -]{1,60} ?\}{1,3}"
    r"|%\([a-z_]+\)s|%s|\$\([a-z_./~-]*\)?",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z][a-z]*[.!?:]?")
_CODE = re.compile(r"\$?[({\[]*[A-Za-z_][A-Za-z_.]*[)}\]]*")
_CALL = re.compile(r"[({\[]*[a-z_][a-z_.]*(?:[(\[]|\([^()]*(?:\([^()]*\))*\)[)\]}]*)")
_CODE_WORDS = re.compile(r"(?i)key|token|passw|pwd|secret|cred|auth|env|config|setting|args|self")
_STRONG_NAMES = re.compile(
    r"(?:passw?|password|passwd|passphrase|pwd|secret|accesssignature)\d?$"
    r"|(?:passwd|password|passphrase|pwd|secret)(?:value|key|text|primary|secondary|b64|base64|accesskey)\d?$"
)
_UUID = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_OPAQUE = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w+/=.~%-]{16,}", re.ASCII)
_TOLD = re.compile(r"(?=.*\d)(?=.*[A-Za-z]).{8,}")
_MIXED = re.compile(r"(?=.*\d)(?=.*[A-Z])(?=.*[a-z])")

_KEY_NAMES = re.compile(
    r"(?:api|account|access|secret|primary|secondary|master|admin|query|signing|encryption|private|subscription|functions?"
    r"|host|client|auth|service|scoring|endpoint|storage|shared|session|sas|deploy|license|instrumentation)key\d?$"
    r"|key(?:value|primary|secondary)\d?$"
)
_TOKEN_NAMES = re.compile(
    r"(?:access|refresh|id|auth|bearer|session|security|api|bot|sas|private|oauth|csrf|jwt|aad|msi|identity|user|login"
    r"|vault|registry|bearerauth)token\d?$|token(?:value|primary|secondary)\d?$"
)
_TYPES = (
    (re.compile(r"instrumentationkey"), "instrumentation_key"),
    (re.compile(r"accesssignature|sastoken"), "sas_signature"),
    (re.compile(r"accountkey|storagekey"), "storage_account_key"),
    (re.compile(r"sharedaccesskey|sharedkey|saskey"), "shared_access_key"),
    (
        re.compile(r"(?:primary|secondary)key\d?$|^key(?:value|primary|secondary)|(?:scoring|endpoint)key"),
        "azure_ml_key",
    ),
    (re.compile(r"functionskey"), "functions_key"),
    (re.compile(r"secretaccesskey"), "aws_secret_key"),
    (re.compile(r"clientsecret"), "client_secret"),
    (re.compile(r"privatekey"), "private_key"),
    (re.compile(r"secret"), "secret"),
    (re.compile(r"pass|pwd"), "password"),
    (re.compile(r"token|pat$"), "access_token"),
)
NOT_REPORTED = frozenset(("instrumentation_key",))


def is_nothing(value: str) -> bool:
    """True of what stands where a secret would: nothing, a mark, a placeholder."""
    if len(value) > LONG:
        return False
    bare = value.replace(MARK, "").strip(" \t\\\"'`[](){}.,;:…")
    return (
        not any(char.isalnum() for char in bare)
        or bare.lower() in _NOTHING
        or bool(_PLACEHOLDER.fullmatch(value.strip()))
    )


def _name_before(text: str, start: int) -> str:
    """The letters of the name that stand before `start`."""
    found = _LEFT_OF_NAME.match(text[max(0, start - 40) : start][::-1])
    return found.group()[::-1] if found else ""


def _header(_: str, found: re.Match[str]) -> str | None:
    """The type of a header's value; None for a word of prose."""
    value, scheme = found["value"].strip(), (found["scheme"] or "").lower()
    if len(value) <= LONG and _is_no_credential(value, scheme, found):
        return None
    if found["stem"].lower() == "cookie":
        return "cookie"
    return {"bearer": "bearer_token", "basic": "basic_auth"}.get(scheme, "authorization_header")


def _is_no_credential(value: str, scheme: str, found: re.Match[str]) -> bool:
    """Nothing, prose, or a name beside this name."""
    if is_nothing(value.partition(" ")[0] if scheme else value):
        return True
    if not found["quote"] and _is_prose(value):
        return True
    return found["join"].strip() == "," and not scheme and _is_name(value)


def _is_prose(value: str) -> bool:
    words = value.split()
    return all(_WORD.fullmatch(word.strip(",;()")) for word in words) and (len(words) != 1 or len(value) < 24)


def _is_name(value: str) -> bool:
    """Of the second of two quoted values: a name beside a name in a list of names, or prose."""
    return re.fullmatch(r"[A-Za-z_ $*:.,'-]+", value) is not None and (len(value) < 32 or " " in value or "_" in value)


def _field(text: str, found: re.Match[str]) -> str | None:
    """The type of a named value; None where the name or the value is not a secret's."""
    before = _name_before(text, found.start())
    whole, value = before + found["stem"] + found["tail"], found["value"]
    name = re.sub(r"[^a-z0-9]", "", whole.lower())
    join = found["join"].strip()
    if not join and not whole.startswith("--"):
        return None
    if len(value) > LONG:
        return _type(text, found, whole, name)
    if is_nothing(value) or _is_no_value(name, join, value, is_quoted=bool(found["quote"])):
        return None
    first = found.start() - len(before)
    is_in_query = text[max(0, first - 1) : first] in ("?", "&") and len(value) >= 8 and bool(re.search(r"\d", value))
    if not (is_in_query or _is_secret(name, value)):
        return None
    return _type(text, found, whole, name)


def _is_no_value(name: str, join: str, value: str, *, is_quoted: bool) -> bool:
    """A word of prose, a name in code, a working directory."""
    if join == "," and _is_name(value):
        return True
    if join == "is":
        return _TOLD.fullmatch(value) is None
    if is_quoted:  # only a password has spaces
        return value.count(" ") >= 2 and not re.search(r"\d", value) and not re.search("pass|pwd|phrase", name)
    if name in ("pwd", "oldpwd"):
        return re.match(r"/|[A-Za-z]:\\", value) is not None
    if join != "=" and _WORD.fullmatch(value.strip("()[]{}")):
        return True
    return _CALL.fullmatch(value) is not None or (
        _CODE.fullmatch(value) is not None and _CODE_WORDS.search(value) is not None
    )


def _is_secret(name: str, value: str) -> bool:
    """A name that only a secret has, or a name that a secret may have before a value that looks random."""
    if _STRONG_NAMES.search(name) or _KEY_NAMES.search(name) or _TOKEN_NAMES.search(name):
        return True
    if not _OPAQUE.fullmatch(value) or _UUID.fullmatch(value):
        return False
    return name.endswith(("token", "pat")) or _MIXED.match(value) is not None


def _type(text: str, found: re.Match[str], whole: str, name: str) -> str:
    known = next((type_ for pattern, type_ in _TYPES if pattern.search(name)), "api_key")
    if known == "api_key" and "-" in whole.strip("-"):
        return "api_key_header"
    if known == "password" and found["join"] == "=" and ";" in text[max(0, found.start() - 1) : found.end() + 1]:
        return "connection_string_password"
    return known


def _named(anchors: tuple[str, ...], pattern: str, judge: Judge) -> Form:
    return Form("", anchors, re.compile(pattern, _FLAGS), judge=judge)


NAMED: tuple[Form, ...] = (
    _named(
        ("authorization", "cookie"),
        r"(?P<stem>authorization|cookie)(?:-auxiliary|s|2|[_-]?(?:header|token|value))?"
        rf"{_JOIN}{_OPEN}{_SCHEME}(?P<value>(?(quote){_QUOTED}|(?(name_quote){_LITERAL}|{_LINE})))",
        _header,
    ),
    _named(
        _FIELD_ANCHORS,
        rf"{_STEM}{_TAIL}{_JOIN}{_OPEN}(?P<value>(?(quote){_QUOTED}|(?(name_quote){_LITERAL}|{_TOKEN})))",
        _field,
    ),
    _named(  # --api-key VALUE
        _FIELD_ANCHORS,
        rf"{_STEM}{_TAIL}(?P<join>[ \t]{{1,8}})(?P<quote>[\"'])?(?P<value>(?(quote){_QUOTED}|[^\s\"'-][^\s\"']{{3,}}))",
        _field,
    ),
    _named(  # login NAME password VALUE, in a .netrc
        ("password",),
        r"(?<=[ \t\n])(?P<stem>password)(?P<tail>)(?P<join>\s{1,8})(?P<value>\S{4,})",
        lambda text, found: "password" if _LOGIN.search(text[max(0, found.start() - 120) : found.start()]) else None,
    ),
    _named(  # curl -u NAME:VALUE
        ("-u ", "--user "),
        r"(?<![\w-])(?:-u|--user)[ \t]{1,8}[\"']?[^\s:\"'@/]{1,128}:(?P<value>[^\s\"']{3,})",
        lambda text, found: "basic_auth" if "curl" in text[max(0, found.start() - 400) : found.start()] else None,
    ),
    _named(  # {"auth": "VALUE"}, in a Docker configuration
        ('auth"', "auth'", "auth\\", "_auth="),
        rf"auth(?:{_QUOTE}\s{{0,8}}:\s{{0,8}}{_QUOTE}|=)(?P<value>[A-Za-z0-9+/]{{12,}}={{0,2}})(?![\w-])",
        lambda _, found: "basic_auth" if _MIXED.match(found["value"]) else None,
    ),
    _named(  # <password>VALUE</password>
        _FIELD_ANCHORS,
        rf"{_STEM}{_TAIL}(?P<quote>(?P<join>[^<>\r\n]{{0,80}}>))(?P<value>[^<>\r\n]{{1,4096}})(?=</)",
        _field,
    ),
)
