"""The shapes that only a secret has, as data: what each begins with, how it goes on, and what kind of secret it is.

A form is tried only where one of its anchors stands, so text without anchors costs a substring search per anchor.
Patterns are ASCII only and start at their anchor; what fails after long reading is bounded, so that time is linear.
Facts about Microsoft's keys (signature and its place in the key) are public in microsoft/security-utilities.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Judge = Callable[[str, "re.Match[str]"], str | None]


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of secret. `pattern` has a group `value` and is tried at each anchor.

    Anchors stand in the text as they are, those of a pattern that ignores case in any case; they are in lower case.
    The value also takes the characters left of the anchor that `left` matches backwards, at most `reach`.
    `judge` says the type of a match, None where it is no secret; without it every match is of `type`.
    `needs` must stand somewhere in the text for the form to be tried; without it the anchors decide.
    """

    type: str
    anchors: tuple[str, ...]
    pattern: re.Pattern[str]
    left: re.Pattern[str] | None = None
    reach: int = 0
    judge: Judge | None = None
    needs: str | None = None

    @property
    def is_any_case(self) -> bool:
        return bool(self.pattern.flags & re.IGNORECASE)

    @property
    def markers(self) -> tuple[str, ...]:
        """One of these stands in every text that the form finds something in."""
        return self.anchors if self.needs is None else (self.needs,)


_FLAGS = re.ASCII
_ANY_CASE = re.ASCII | re.IGNORECASE
# A token starts where no letter, digit, `_` or `-` stands before it, or after an escape that ends in one.
_START = r"(?:(?<![\w-])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrtbf]))"
_BASE64 = "A-Za-z0-9+/"


def _token(type_: str, prefix: str, rest: str) -> Form:
    """A token known by its first characters."""
    return Form(type_, (prefix,), re.compile(rf"{_START}(?P<value>{re.escape(prefix)}{rest})", _FLAGS))


def _signed(type_: str, signature: str, before: int, after: str, letters: str = _BASE64) -> Form:
    """A key of fixed length with Microsoft's signature in it: `before` characters, the signature, then `after`."""
    return Form(
        type_,
        (signature,),
        re.compile(rf"(?<=[{letters}]{{{before}}})(?P<value>{re.escape(signature)}{after})", _FLAGS),
        re.compile(rf"[{letters}]*", _FLAGS),
        before,
    )


_TOKENS = (
    *(_token("github_token", prefix, r"\w{16,255}") for prefix in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    _token("github_token", "github_pat_", r"\w{20,255}"),
    _token("gitlab_token", "glpat-", r"[\w.-]{16,255}"),
    *(_token("aws_access_key", prefix, r"[A-Z0-9]{12,124}") for prefix in ("AKIA", "ASIA")),
    _token("google_api_key", "AIza", r"[\w-]{30,60}"),
    _token("google_api_key", "GOCSPX-", r"[\w-]{20,60}"),
    _token("google_token", "ya29.", r"[\w-]{20,2048}"),
    *(_token("slack_token", f"xox{letter}-", r"[\w-]{10,255}") for letter in "abeoprs"),
    _token("slack_token", "xapp-", r"[\w-]{20,255}"),
    *(_token("stripe_key", f"{kind}_{mode}_", r"\w{12,255}") for kind in ("sk", "rk") for mode in ("live", "test")),
    _token("stripe_key", "whsec_", r"[\w+/=]{16,255}"),
    _token("openai_key", "sk-", r"(?=[\w-]{0,255}\d)[\w-]{20,255}"),
    _token("huggingface_token", "hf_", r"[A-Za-z0-9]{20,255}"),
    _token("npm_token", "npm_", r"[A-Za-z0-9]{30,255}"),
    _token("pypi_token", "pypi-", r"[\w-]{40,1024}"),
    _token("databricks_token", "dapi", r"[0-9a-f]{32}(?:-\d)?"),
    _token("nuget_key", "oy2", r"[a-z2-7]{43}(?![a-z0-9])"),
    _token("docker_token", "dckr_pat_", r"[\w-]{20,255}"),
    _token("sendgrid_key", "SG.", r"[\w-]{16,64}\.[\w-]{16,128}"),
    _token("vault_token", "hvs.", r"[\w-]{20,255}"),
    _token("grafana_token", "glsa_", r"\w{20,255}"),
    _token("digitalocean_token", "dop_v1_", r"[0-9a-f]{32,64}"),
    _token("atlassian_token", "ATATT3", r"[\w=-]{30,512}"),
    _token("age_key", "AGE-SECRET-KEY-1", r"[0-9A-Z]{30,80}"),
    Form(
        "telegram_token",
        (":AA",),
        re.compile(r"(?<=\d{8})(?P<value>:AA[\w-]{30,40})", _FLAGS),
        re.compile(r"\d*", _FLAGS),
        12,
    ),
    Form(
        "webhook_url",
        ("hooks.slack.com/", "webhookb2/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/"),
        re.compile(
            r"(?:hooks\.slack\.com/\w+/|webhookb2/|discord(?:app)?\.com/api/webhooks/)(?P<value>[\w@/.-]{16,512})",
            _ANY_CASE,
        ),
    ),
)


def _annotated(text: str, found: re.Match[str]) -> str:
    """Whose key it is: the four letters before the checksum of a key with the signature JQQJ9."""
    owner = text[found.start() + 24 : found.start() + 28]
    return {"AZML": "azure_ml_key", "AZDO": "azure_devops_token", "APIM": "api_management_key"}.get(owner, "azure_key")


_MICROSOFT = (
    Form(
        "azure_key",
        ("JQQJ9",),
        re.compile(r"(?<=[A-Za-z0-9]{8})(?P<value>JQQJ9[9DH][A-Za-z0-9]{6,28}(?:[A-Za-z0-9]{2}==)?)", _FLAGS),
        re.compile(r"[A-Za-z0-9]*", _FLAGS),
        52,
        _annotated,
    ),
    _signed("azure_ml_key", "+AMC", 76, rf"[{_BASE64}]{{5}}[AQgw]=="),
    _signed("storage_account_key", "+ASt", 76, rf"[{_BASE64}]{{5}}[AQgw]=="),
    _signed("batch_key", "+ABa", 76, rf"[{_BASE64}]{{5}}[AQgw]=="),
    _signed("cosmos_key", "ACDb", 76, rf"[{_BASE64}]{{5}}[AQgw]=="),
    _signed("api_management_key", "APIM", 76, rf"[{_BASE64}]{{5}}[AQgw]=="),
    *(
        _signed("shared_access_key", mark, 33, rf"[A-P][{_BASE64}]{{5}}=")
        for mark in ("+AEh", "+ASb", "+ARm", "AIoT", "AZEG")
    ),
    _signed("redis_key", "AzCa", 33, rf"[A-P][{_BASE64}]{{5}}="),
    _signed("container_registry_key", "+ACR", 42, rf"[A-D][{_BASE64}]{{5}}"),
    _signed("search_key", "AzSe", 42, r"[A-D][A-Za-z0-9]{5}", "A-Za-z0-9"),
    _signed("functions_key", "AzFu", 44, r"[\w-]{5}[AQgw]==", r"\w-"),
    _signed("client_secret", "Q~", 4, r"[\w~.-]{20,40}", r"\w~.-"),
    Form(  # 64 bytes in base64; a digest says of itself that it is one
        "azure_key",
        ("A==", "Q==", "g==", "w=="),
        re.compile(
            rf"(?<=[{_BASE64}]{{85}})(?:(?<![{_BASE64}]{{86}})|(?<=\\[nrt][{_BASE64}]{{85}}))(?<!sha512-.{{85}})"
            r"(?P<value>[AQgw]==)(?!=)",
            _FLAGS,
        ),
        re.compile(rf"[{_BASE64}]*", _FLAGS),
        85,
    ),
)

_PEM_LABEL = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?"
_GAP = r"(?:\s|\\{1,4}[nr])"
_PRIVATE_KEYS = (
    Form(  # whole, or cut: without its end the body goes on as long as there are words of base64
        "private_key",
        ("-----BEGIN ",),
        re.compile(
            rf"(?P<value>-----BEGIN {_PEM_LABEL}-----"
            rf"(?:(?:(?!-----(?:BEGIN|END) ).){{0,16384}}-----END {_PEM_LABEL}-----"
            rf"|(?:{_GAP}{{0,8}}(?:(?:Proc-Type|DEK-Info|Comment|Version): [^\r\n\\]*|[{_BASE64}]{{16,}}={{0,2}}))*"
            rf"(?:{_GAP}{{0,8}}[{_BASE64}]{{1,15}}={{0,2}}(?![\w.-]))?))",
            _FLAGS | re.DOTALL,
        ),
        needs="PRIVATE KEY",
    ),
    Form(  # only its end
        "private_key",
        ("-----END ",),
        re.compile(rf"(?P<value>-----END {_PEM_LABEL}-----)", _FLAGS),
        re.compile(rf"(?:[{_BASE64}=\s]|[nr]\\{{1,4}})*", _FLAGS),
        16384,
        needs="PRIVATE KEY",
    ),
    Form(
        "private_key",
        ("Private-Lines: ",),
        re.compile(rf"Private-Lines: \d+(?P<value>(?:{_GAP}{{1,4}}[{_BASE64}]{{16,}}={{0,2}})+)", _FLAGS),
    ),
)

_PLAIN_WORD = r"(?-i:[A-Z]?[a-z]+)(?![\w~+/%=-])"
_CREDENTIALS = (
    Form("jwt", ("eyJ",), re.compile(rf"{_START}(?P<value>eyJ[\w-]{{8,}}+\.[\w-]{{4,}}+(?:\.[\w-]*+){{0,3}})", _FLAGS)),
    Form(
        "basic_auth",
        ("basic",),
        re.compile(
            rf"(?<!\w)basic(?:\s{{1,8}}|%20|\+)(?!{_PLAIN_WORD})(?P<value>[{_BASE64}_-]{{8,}}+(?:=|%3D){{0,2}})",
            _ANY_CASE,
        ),
    ),
    Form(
        "sas_signature",
        ("sig=", "sig%3d", "sig%253d"),
        re.compile(
            rf"(?:{_START}|(?<=_))sig(?:=|%(?:25)?3D)(?P<value>(?:[\w+/.~-]|%(?!26)){{6,}}={{0,2}})",
            _ANY_CASE,
        ),
    ),
    Form(
        "bearer_token",
        ("bearer",),
        re.compile(
            rf"(?<![A-Za-z])bearer(?:\s{{1,8}}|%20|\+|:\s{{0,8}})(?!{_PLAIN_WORD})(?![a-z_]{{1,40}}=[\"'])"
            r"(?P<value>[\w.~+/%-]{8,}+=*)",
            _ANY_CASE,
        ),
    ),
    Form(
        "functions_key",
        ("?code=", "&code=", ";code="),
        re.compile(r"[?&;]code=(?P<value>[\w%/+~.-]{16,}={0,2})", _ANY_CASE),
    ),
    Form(
        "shared_key_signature",
        ("sharedkey",),
        re.compile(rf"sharedkey(?:lite)?\s{{1,4}}[\w-]{{1,64}}:(?P<value>[{_BASE64}]{{20,}}={{0,2}})", _ANY_CASE),
    ),
    Form(
        "url_password",
        ("://",),
        re.compile(r"://[^\s/:@\"'<>?#]{0,256}:(?!\d{1,5}[?#])(?P<value>[^\s/\"'<>]{1,1024})(?=@)", _FLAGS),
        needs="@",
    ),
    Form(
        "url_password",
        ("://",),
        re.compile(r"://(?P<value>[^\s/:@\"'<>?#.]{16,1024})(?=@)", _FLAGS),
        needs="@",
    ),
)

SHAPES: tuple[Form, ...] = (*_TOKENS, *_MICROSOFT, *_PRIVATE_KEYS, *_CREDENTIALS)
"""The most specific first: where two hold the same characters, the first says the type."""
