"""What opens Azure stands in nothing that redline says, writes or passes on, whatever it was asked to do."""

from __future__ import annotations

import base64
import codecs
import html
import json
import os
import quopri
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import requests

from tests.cli.terminal import ended, started
from tests.scoring.standin import StandIn, command_lines_of, serving

TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}")
WRONG = "wrong~S3cret+with/odd=chars&more"
LOAD = ("--users", "2", "--for", "2s", "--payload", "good.json", "--quiet")
COMMANDS = {
    "init": ("init", "--from-config", "config.json", "--endpoint", "local", "--out", "written.toml", "--force"),
    "doctor": ("doctor", "local", "--wait", "10s"),
    "doctor json": ("doctor", "local-entra", "--json", "--wait", "0s"),
    "logs": ("logs", "local", "--tail", "50"),
    "check": ("check", "local", "--json"),
    "load by key": ("load", "local", *LOAD, "--out", "by-key"),
    "load by token": ("load", "local-token", *LOAD, "--out", "by-token"),
    "load by entra": ("load", "local-entra", *LOAD, "--out", "by-entra"),
    "limit": ("limit", "local-token", "--max-users", "3", "--budget", "12s", "--quiet", "--out", "limit"),
    "errors": ("report", "errors", "--run", "by-token", "--out", "errors"),
    "diagnose": ("diagnose", "by-entra"),
    "compare": ("compare", "by-key", "by-token", "--out", "compared", "--save-baseline", "baseline.json"),
    "export": ("export", "azure-load-testing", "local", "--out", "exported"),
}
REFUSED = ("doctor", "load by entra")


def forms_of(secret: str) -> dict[str, bytes]:
    """The secret in every encoding that a program may write by accident, its two halves among them."""
    raw = secret.encode()
    found = _texts(secret)
    shifted = {
        f"{name} after {shift}": encode(b"x" * shift + raw)[4 : -4 or None]
        for name, encode in (("base64", _base64), ("URL-safe base64", _urlsafe), ("base32", _base32), ("ascii85", _a85))
        for shift in range(5)
    }
    wide = {f"as {code}": secret.encode(code) for code in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")}
    around = {
        f"{name} {ending}": encode(text.encode())[4:-4]
        for name, encode in (("base64", _base64), ("hex", lambda data: data.hex()))
        for ending, text in (
            ("of Bearer", f"Bearer {secret}"),
            ("of user", f"me:{secret}"),
            ("of JSON", json.dumps(secret)),
        )
    }
    texts = {**found, **shifted, **around}
    return {name: text.encode() for name, text in texts.items()} | wide


def _texts(secret: str) -> dict[str, str]:
    """The secret as texts: cut, spelled, quoted and escaped."""
    raw = secret.encode()
    return {
        "plain": secret,
        "upper case": secret.upper(),
        "lower case": secret.lower(),
        "reversed": secret[::-1],
        "without its first character": secret[1:],
        "without its last character": secret[:-1],
        "first half": secret[: len(secret) // 2],
        "second half": secret[len(secret) // 2 :],
        "URL-encoded": quote(secret, safe=""),
        "URL-encoded, small": quote(secret, safe="").lower(),
        "URL-encoded twice": quote(quote(secret, safe=""), safe=""),
        "form-encoded": quote_plus(secret),
        "JSON": json.dumps(secret)[1:-1],
        "JSON twice": json.dumps(json.dumps(secret))[3:-3],
        "repr": repr(secret)[1:-1],
        "HTML": html.escape(secret),
        "XML": html.escape(secret, quote=False),
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "hex with colons": raw.hex(":"),
        "hex with spaces": raw.hex(" "),
        "list of bytes": ", ".join(map(str, raw)),
        "list of bytes, tight": ",".join(map(str, raw)),
        "letters with spaces": " ".join(secret),
        "escaped": "".join(f"\\x{byte:02x}" for byte in raw),
        "unicode escapes": "".join(f"\\u{ord(char):04x}" for char in secret),
        "HTML references": "".join(f"&#{ord(char)};" for char in secret),
        "HTML hex references": "".join(f"&#x{ord(char):x};" for char in secret),
        "every letter URL-encoded": "".join(f"%{byte:02X}" for byte in raw),
        "first twelve": secret[:12],
        "last twelve": secret[-12:],
        "twelve in the middle": secret[len(secret) // 2 - 6 : len(secret) // 2 + 6],
        "letters with commas": ",".join(secret),
        "letters with dashes": "-".join(secret),
        "letter by line": "\n".join(secret),
        "list of letters": str(list(secret))[1:-1],
        "rot13": codecs.encode(secret, "rot13"),
        "bits": " ".join(f"{byte:08b}" for byte in raw),
        "quoted-printable": quopri.encodestring(raw).decode(),
        "every letter URL-encoded, small": "".join(f"%{byte:02x}" for byte in raw),
        "JSON with escaped slashes": json.dumps(secret)[1:-1].replace("/", "\\/"),
        "shell word": shlex.quote(secret),
        "octal": "".join(f"\\{byte:03o}" for byte in raw),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=")


def _a85(data: bytes) -> str:
    return base64.a85encode(data).decode()


@dataclass
class Said:
    """What was left behind: everything said and written by file or command, and the command lines of all processes."""

    texts: dict[str, bytes] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    command_lines: set[str] = field(default_factory=set)
    secrets: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Said:
    """Every command that touches a credential, run once as it should be, and some with a secret that is refused."""
    folder = tmp_path_factory.mktemp("work")
    with serving(tmp_path_factory.mktemp("stand-in"), "--hosting", "managed") as served:
        stand_in = StandIn(served)
        ready = stand_in.ready
        names = ("subscription_id", "resource_group", "workspace_name")
        (folder / "config.json").write_text(json.dumps({name: ready[name] for name in names}))
        (folder / "good.json").write_bytes(b'{"data": [[1, 2, 3]]}')
        (folder / "redline.toml").write_text(_settings(stand_in))
        found = Said(secrets={"client secret": ready["client_secret"], "wrong client secret": WRONG, **_keys(stand_in)})
        environ = stand_in.environ("environment")
        for name, arguments in COMMANDS.items():
            _run(found, name, folder, arguments, environ)
        for name in REFUSED:
            arguments = tuple(word.replace("by-entra", "refused") for word in COMMANDS[name])
            _run(found, f"{name}, refused", folder, arguments, {**environ, "AZURE_CLIENT_SECRET": WRONG})
    found.texts |= {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return found


def _settings(stand_in: StandIn) -> str:
    """The stand-in's redline.toml, whose only way in is the environment: no key file, no auth file."""
    lines = Path(stand_in.served.config).read_text().splitlines()
    return (
        "\n".join(line for line in lines if not line.startswith(("key_file", "auth_file", "azure_token_file"))) + "\n"
    )


def _keys(stand_in: StandIn) -> dict[str, str]:
    """Both keys of the endpoint, as its control plane tells them."""
    ready, trust = stand_in.ready, stand_in.ready["ca_file"]
    form = {name: ready[name] for name in ("client_id", "client_secret")}
    form |= {"grant_type": "client_credentials", "scope": "https://management.azure.com/.default"}
    issuer = f"{ready['authority']}/{ready['tenant_id']}/oauth2/v2.0/token"
    token = requests.post(issuer, form, verify=trust, timeout=30).json()["access_token"]
    address = f"{ready['arm_url']}{ready['resource_id']}/listKeys?api-version=2024-04-01"
    keys = requests.post(address, headers={"Authorization": f"Bearer {token}"}, verify=trust, timeout=30).json()
    return {"primary key": keys["primaryKey"], "secondary key": keys["secondaryKey"]}


def _run(found: Said, name: str, folder: Path, arguments: tuple[str, ...], environ: dict[str, str]) -> None:
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    process = started(folder, arguments, **kept, **environ)
    found.command_lines |= command_lines_of(process)
    told = ended(process)
    found.texts |= {f"stdout of {name}": told.out.encode(), f"stderr of {name}": told.err.encode()}
    found.codes[name] = told.code


def test_there_are_sixty_forms() -> None:
    """Each secret is looked for in at least sixty different encodings."""
    assert len(set(forms_of(WRONG).values())) >= 60


def test_every_command_did_its_work(said: Said) -> None:
    """A search through what a failed command left behind would prove nothing."""
    failed = {name: code for name, code in said.codes.items() if code not in (0, 1, 3)}
    assert failed == dict.fromkeys((f"{name}, refused" for name in REFUSED), 4)


def test_no_secret_is_in_any_file_or_output(said: Said) -> None:
    """In none of its forms."""
    found = [
        (where, what, form)
        for what, secret in said.secrets.items()
        for form, needle in forms_of(secret).items()
        for where, text in said.texts.items()
        if needle in text
    ]
    assert found == []


def test_no_token_is_in_any_file_or_output(said: Said) -> None:
    """Tokens of ARM, of the endpoint and of Entra are JSON Web Tokens here, as they are on Azure."""
    assert [where for where, text in said.texts.items() if TOKEN.search(text)] == []


def test_no_secret_is_in_a_command_line(said: Said) -> None:
    """Of redline, of the generator, of the process that renews, of anything that they start."""
    assert len(said.command_lines) > len(COMMANDS)
    lines = "\n".join(said.command_lines).encode()
    assert not TOKEN.search(lines)
    assert [
        (what, form)
        for what, secret in said.secrets.items()
        for form, needle in forms_of(secret).items()
        if needle in lines
    ] == []
