"""Secrets in every form they are met in, generated: none of them opens anything.

`FORMS` lists (name, text with the secret in it, the secret). `HELD` and `HELD_FORMS` are one secret that we hold, in
every encoding. The letters come from a fixed seed, so each run plants the same.
"""

from __future__ import annotations

import base64
import html
import json
import random
import string
from urllib.parse import quote, quote_plus

LETTERS = string.ascii_letters + string.digits
_CHANCE = random.Random(20240607)


def letters(count: int, of: str = LETTERS) -> str:
    """So many letters of the given ones by chance, with a digit, a small and a capital letter where there are some."""
    while True:
        drawn = "".join(_CHANCE.choice(of) for _ in range(count))
        kinds = [
            kind for kind in (string.digits, string.ascii_lowercase, string.ascii_uppercase) if set(kind) & set(of)
        ]
        if all(set(kind) & set(drawn) for kind in kinds):
            return drawn


KEY = letters(32)  # the keys of web services of SDK v1 look so
BASE64 = LETTERS + "+/"
HEX = "0123456789abcdef"
JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"RS256","typ":"JWT"}', b'{"aud":"https://ml.azure.com","sub":"nobody"}', letters(48).encode())
)
ML_KEY = f"{letters(52)}JQQJ99BEAAAAAAAAAAAAINFRAZML{letters(4)}"
KEY64 = base64.b64encode(letters(64).encode()).decode()
PEM_BODY = "\n".join(letters(64, BASE64) for _ in range(6))


def _shaped() -> list[tuple[str, str]]:
    """Secrets that show by themselves what they are: (name, secret)."""
    return [
        ("JSON Web Token", JWT),
        ("JSON Web Token, cut", JWT[:-20]),
        ("Azure ML key of 84 letters", ML_KEY),
        ("Azure key of 84 letters of somebody else", f"{letters(52)}JQQJ99BFACYeBjFXJ3w3AAAB{letters(8)}"),
        ("Azure DevOps token of 84 letters", f"{letters(52)}JQQJ99BCACAAAAAAAAAAAAASAZDO{letters(4)}"),
        ("Azure DevOps token of 52 letters", letters(52, "234567abcdefghijklmnopqrstuvwxyz")),
        ("Azure ML classic key", f"{letters(76, BASE64)}+AMC{letters(5)}A=="),
        ("storage key", f"{letters(76, BASE64)}+ASt{letters(5)}Q=="),
        ("old storage key", f"{letters(85, BASE64)}g=="),
        ("Cosmos DB key", f"{letters(76, BASE64)}ACDb{letters(5)}w=="),
        ("Batch key", f"{letters(76, BASE64)}+ABa{letters(5)}A=="),
        ("API Management key", f"{letters(76, BASE64)}APIM{letters(5)}A=="),
        ("Event Hubs key", f"{letters(33, BASE64)}+AEhC{letters(5)}="),
        ("Service Bus key", f"{letters(33, BASE64)}+ASbD{letters(5)}="),
        ("Relay key", f"{letters(33, BASE64)}+ARmE{letters(5)}="),
        ("IoT Hub key", f"{letters(33, BASE64)}AIoTF{letters(5)}="),
        ("Event Grid key", f"{letters(33, BASE64)}AZEGG{letters(5)}="),
        ("Redis key", f"{letters(33, BASE64)}AzCaH{letters(5)}="),
        ("Search key", f"{letters(42)}AzSeA{letters(5)}"),
        ("Functions key", f"{letters(44)}AzFu{letters(5)}Q=="),
        ("Container Registry key", f"{letters(42, BASE64)}+ACRB{letters(5)}"),
        ("Entra client secret", f"{letters(3)}8Q~{letters(34, LETTERS + '._-~')}"),
        ("older Entra client secret", f"{letters(3)}7Q~{letters(31, LETTERS + '._-~')}"),
        *((f"GitHub token {kind}", f"gh{kind}_{letters(36)}") for kind in "pousr"),
        ("fine-grained GitHub token", f"github_pat_{letters(22)}_{letters(59)}"),
        ("GitLab token", f"glpat-{letters(20)}"),
        ("AWS key id", f"AKIA{letters(16, string.ascii_uppercase + '234567')}"),
        ("AWS temporary key id", f"ASIA{letters(16, string.ascii_uppercase + '234567')}"),
        ("Google API key", f"AIza{letters(35)}"),
        ("Google client secret", f"GOCSPX-{letters(28)}"),
        ("Slack bot token", f"xoxb-{letters(12, string.digits)}-{letters(24)}"),
        ("Slack app token", f"xapp-1-{letters(40)}"),
        ("Stripe key", f"sk_live_{letters(24)}"),
        ("Stripe restricted key", f"rk_test_{letters(24)}"),
        ("OpenAI key", f"sk-{letters(48)}"),
        ("OpenAI project key", f"sk-proj-{letters(48)}"),
        ("Anthropic key", f"sk-ant-api03-{letters(80)}"),
        ("Hugging Face token", f"hf_{letters(34)}"),
        ("npm token", f"npm_{letters(36)}"),
        ("PyPI token", f"pypi-AgEIcHlwaS5vcmc{letters(60)}"),
        ("Databricks token", f"dapi{letters(32, HEX)}"),
        ("SendGrid key", f"SG.{letters(22)}.{letters(43)}"),
        ("Docker token", f"dckr_pat_{letters(27)}"),
        ("NuGet key", f"oy2{letters(43, 'abcdefghijklmnopqrstuvwxyz234567')}"),
        ("Vault token", f"hvs.{letters(24)}"),
        ("Telegram token", f"{letters(9, string.digits)}:AA{letters(33)}"),
    ]


def _around_shapes() -> list[tuple[str, str, str]]:
    """Each shaped secret in a sentence, after an escaped newline, in a URL-encoded query, in JSON in JSON."""
    forms = []
    for name, secret in _shaped():
        forms.append((name, f"2026-01-01 10:00:00,632 I [784] azmlinfsrv.print - using {secret} for this", secret))
        forms.append((f"{name}, in JSON", json.dumps({"note": f"it is\n{secret}"}), secret))
        forms.append((f"{name}, in a repr of JSON", repr(json.dumps({"note": secret})), secret))
    return forms


HEADERS = (
    *("Authorization", "authorization", "AUTHORIZATION", "Proxy-Authorization", "X-Forwarded-Authorization"),
    *("x-ms-authorization-auxiliary", "Cookie", "Set-Cookie", "X-Api-Key", "api-key", "apikey", "x-functions-key"),
    *("Ocp-Apim-Subscription-Key", "X-Auth-Token", "X-Access-Token", "X-Amz-Security-Token", "aeg-sas-key"),
    *("X-Vault-Token", "Private-Token", "x-goog-api-key", "X-MS-TOKEN-AAD-ACCESS-TOKEN", "X-Webhook-Secret"),
)


def _header_notations(name: str, value: str) -> list[tuple[str, str]]:
    return [
        ("line", f"{name}: {value}"),
        ("line without a space", f"{name}:{value}"),
        ("indented among others", f"    Accept: */*\n    {name}: {value}\n    Accept-Encoding: gzip"),
        ("raw request", f"POST /score HTTP/1.1\r\nHost: x\r\n{name}: {value}\r\n\r\n"),
        ("raw request in a repr", repr(f"POST /score HTTP/1.1\r\n{name}: {value}\r\nHost: x\r\n\r\n".encode())),
        ("JSON", json.dumps({"Accept": "*/*", name: value, "Host": "x"})),
        ("tight JSON", json.dumps({name: value}, separators=(",", ":"))),
        ("JSON in JSON", json.dumps(json.dumps({name: value}))),
        ("JSON thrice", json.dumps(json.dumps(json.dumps({name: value})))),
        ("JSON with lists", json.dumps({name: [value]})),
        ("HAR", json.dumps([{"name": name, "value": value}])),
        ("dict", str({name: value, "Host": "x"})),
        ("dict of bytes", str({name.encode(): value.encode()})),
        ("pairs", str([("Accept", "*/*"), (name, value)])),
        ("pairs of bytes", str([(name.encode(), value.encode())])),
        ("CaseInsensitiveDict", f"CaseInsensitiveDict({{'{name}': '{value}'}})"),
        ("curl -H", f'curl -v -H "{name}: {value}" -d @payload.json http://127.0.0.1/score'),
        ("curl --header", f"curl --header '{name}: {value}' http://127.0.0.1/score"),
        ("curl -v", f"> {name}: {value}\n> Accept: */*"),
        ("YAML", f"headers:\n  {name}: {value}\n  Accept: text/plain"),
        ("YAML in quotes", f'headers:\n  {name}: "{value}"'),
        ("Go map", f"map[Accept:[*/*] {name}:[{value}]]"),
        ("assignment in code", f'headers["{name}"] = "{value}"'),
        ("HTML", html.escape(json.dumps({name: value}))),
        ("Ruby", f"{{'{name}' => '{value}'}}"),
        ("URL-encoded JSON", quote(json.dumps({name: value}), safe="")),
    ]


def _headers() -> list[tuple[str, str, str]]:
    forms = []
    for name in HEADERS:
        secret = letters(32)
        value = f"sid={secret}; Path=/" if "ookie" in name else f"Bearer {secret}" if "uthori" in name else secret
        forms += [(f"{name}, {way}", text, secret) for way, text in _header_notations(name, value)]
    for scheme in ("Bearer", "bearer", "Basic", "ApiKey", "Token", "SharedKey account:"):
        secret = letters(40)
        join = "" if scheme.endswith(":") else " "
        forms.append((f"Authorization with {scheme}", f"Authorization: {scheme}{join}{secret}", secret))
    return forms


FIELDS = (
    *("password", "Password", "PASSWORD", "db_password", "userPassword", "passwd", "pwd", "passphrase", "secret"),
    *("client_secret", "clientSecret", "AZURE_CLIENT_SECRET", "api_key", "apiKey", "API_KEY", "OPENAI_API_KEY"),
    *("account_key", "AccountKey", "SharedAccessKey", "access_key", "aws_secret_access_key", "primaryKey"),
    *("secondaryKey", "primary_key", "keyValue", "access_token", "accessToken", "refresh_token", "id_token"),
    *("AZURE_STORAGE_KEY", "SCORING_KEY", "signing_key", "encryption_key", "subscription-key", "sas_token"),
    *("auth_token", "token", "AZURE_DEVOPS_EXT_PAT", "spring.datasource.password", "private_key", "session_key"),
)


def _field_notations(name: str, value: str) -> list[tuple[str, str]]:
    return [
        ("assigned", f"{name}={value}"),
        ("assigned with spaces", f"{name} = {value}"),
        ("assigned in quotes", f"{name} = '{value}'"),
        ("exported", f'export {name}="{value}"'),
        ("YAML", f"  {name}: {value}\n  other: 1"),
        ("YAML in quotes", f'{name}: "{value}"'),
        ("JSON", json.dumps({"name": "x", name: value})),
        ("JSON in JSON", json.dumps(json.dumps({name: value, "x": 1}))),
        ("pretty JSON", json.dumps({name: value}, indent=2)),
        ("dict", str({name: value})),
        ("argument", f"connect(host='x', {name}='{value}', timeout=3)"),
        ("option", f"tool --{name.replace('_', '-')} {value} --verbose"),
        ("option with an equals sign", f"tool --{name}={value}"),
        ("query", f"GET /score?x=1&{name}={value}&y=2 HTTP/1.1"),
        ("form", f"grant_type=x&{name}={quote_plus(value)}&scope=y"),
        ("connection string", f"Server=tcp:x;User ID=me;{name}={value};Encrypt=True"),
        ("XML", f"<{name}>{value}</{name}>"),
        ("XML attribute", f'<add key="{name}" value="{value}" />'),
        ("Kubernetes", f"- name: {name}\n  value: {value}"),
        ("Kubernetes in quotes", f'- name: {name}\n  value: "{value}"'),
        ("environ", f"environ({{'PATH': '/bin', '{name}': '{value}'}})"),
        ("dataclass", f"Settings(url='x', {name}='{value}')"),
        ("PHP", f"'{name}' => '{value}',"),
        ("Go struct", f"{{URL:x {name}:{value} Port:1}}"),
    ]


def _fields() -> list[tuple[str, str, str]]:
    forms = []
    for name in FIELDS:
        secret = letters(28)
        forms += [(f"{name}, {way}", text, secret) for way, text in _field_notations(name, secret)]
    return forms


def _others() -> list[tuple[str, str, str]]:
    """Secrets known by what surrounds them."""
    key, sig, code, user = letters(43), quote(f"{letters(43, BASE64)}=", safe=""), letters(54), letters(20)
    body = PEM_BODY.splitlines()[2]
    numbered = "\n".join(f"2026-01-01 10:00:00 I [1] print - {line}" for line in PEM_BODY.splitlines())
    pem = f"-----BEGIN PRIVATE KEY-----\n{PEM_BODY}\n-----END PRIVATE KEY-----"
    return [
        ("bearer alone", f"sent Bearer {key} to the endpoint", key),
        ("bearer in a query", f"?auth=Bearer%20{key}", key),
        ("bearer in a form", f"auth=Bearer+{key}", key),
        ("basic alone", f"with Basic {key}== it went through", key),
        ("storage connection string", f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={KEY64};X=y", KEY64),
        ("Service Bus connection string", f"Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey={key}=", key),
        ("connection string with a signature", f"BlobEndpoint=https://x/;SharedAccessSignature=sv=2&sig={sig}", sig),
        ("SQL connection string", f"Server=tcp:x,1433;User ID=me;Password=pa$${user}!x;Encrypt=True", user),
        ("ODBC", f"Driver={{ODBC Driver 18}};Server=x;Uid=me;Pwd={user};", user),
        ("Redis connection string", f"x.redis.cache.windows.net:6380,password={key}=,ssl=True", key),
        ("App Insights connection string", f"InstrumentationKey={key};IngestionEndpoint=https://x/", key),
        ("SAS", f"https://a.blob.core.windows.net/c/b?sv=2022-11-02&sp=r&sig={sig}", sig),
        ("SAS first", f"https://a.blob.core.windows.net/c/b?sig={sig}&sv=2022", sig),
        ("SAS in a parameter", quote(f"https://a.blob.core.windows.net/c/b?sv=2022&sig={sig}", safe=""), sig[:20]),
        ("SharedAccessSignature header", f"SharedAccessSignature sr=x&sig={sig}&se=1&skn=Root", sig),
        ("Logic App", f"https://x.logic.azure.com/workflows/1/triggers/m/paths/invoke?sp=%2F&sv=1.0&sig={key}", key),
        ("functions code", f"https://x.azurewebsites.net/api/score?code={code}==", code),
        ("functions code second", f"https://x.azurewebsites.net/api/score?clientId=a&code={code}", code),
        ("key in a query", f"GET /score?key={key} HTTP/1.1", key),
        ("user info", f"https://me:{user}@registry.example/v2", user),
        ("token as user info", f"https://{key}@registry.example/v2", key),
        ("password of no user", f"redis://:{user}@cache.example:6380/0", user),
        ("database URL", f"postgresql+psycopg2://me:{user}@db.example:5432/x?sslmode=require", user),
        ("user info with an at sign", f"amqp://me:p@{user}@mq.example/x", user),
        ("Slack webhook", f"https://hooks.slack.com/services/T0000000/B0000000/{letters(24)}", "/B0000000/"),
        ("Discord webhook", f"https://discord.com/api/webhooks/1234567890/{key}", key),
        ("PEM", pem, body),
        ("PEM in JSON", json.dumps({"pem": pem}), body),
        ("PEM in a repr of JSON", repr(json.dumps({"pem": pem})), body),
        ("RSA PEM", pem.replace("PRIVATE", "RSA PRIVATE"), body),
        ("encrypted PEM", pem.replace("PRIVATE", "ENCRYPTED PRIVATE"), body),
        ("OpenSSH key", pem.replace("PRIVATE", "OPENSSH PRIVATE"), body),
        ("PGP key", pem.replace("PRIVATE KEY", "PGP PRIVATE KEY BLOCK"), body),
        ("PEM without its end", pem.partition("-----END")[0], body),
        ("PEM cut in a line", pem[:200], pem[60:90]),
        ("PEM without its beginning", pem[100:], body),
        ("PEM line by line in a log", f"-----BEGIN PRIVATE KEY-----\n{numbered}\n-----END PRIVATE KEY-----", body),
        ("PuTTY key", f"Private-Lines: 6\n{PEM_BODY}\nPrivate-MAC: x", body),
        ("listKeys answer", json.dumps({"primaryKey": KEY, "secondaryKey": letters(32)}), KEY),
        ("token answer", json.dumps({"accessToken": key, "tokenType": "Bearer", "expiryTimeUtc": 1}), key),
        ("old service log", f"Headers passed in (total 12):\n    Authorization: Bearer {KEY}\n    Accept: */*", KEY),
        ("curl -u", f"curl -s -u me:{user} https://x/score", user),
        (".netrc", f"machine x login me password {user}", user),
        (".npmrc", f"//registry.example/:_authToken={key}", key),
        ("Docker configuration", json.dumps({"auths": {"x": {"auth": f"{key}="}}}), key),
        ("ARM parameter", json.dumps({"parameters": {"adminPassword": {"value": user}}}), user),
        ("YAML block", f"password: |\n  {user}\nother: 1", user),
        ("sentence", f"the password is {user}", user),
        ("URL-encoded header", quote(f"Authorization: Bearer {key}"), key),
        ("account keys", json.dumps([{"keyName": "key1", "permissions": "FULL", "value": KEY64}]), KEY64),
        ("Digest", f'Authorization: Digest username="me", realm="x", response="{letters(32, HEX)}"', 'response="'),
    ]


FORMS: list[tuple[str, str, str]] = [*_around_shapes(), *_headers(), *_fields(), *_others()]
"""(name, text with the secret in it, the secret), a thousand or more."""

HELD = 'p+ss/W0rd="7f3kQz\\9vLx2Tn8Rb4YcJw6Hs1Md5Gp0Ea'
HELD_FORMS: dict[str, str] = {
    "plain": HELD,
    "inside a sentence": f"the key {HELD} was refused",
    "glued to letters": f"key{HELD}key",
    "URL-encoded": f"?k={quote(HELD, safe='')}&x=1",
    "URL-encoded in small letters": quote(HELD, safe="")
    .replace("%2B", "%2b")
    .replace("%2F", "%2f")
    .replace("%5C", "%5c"),
    "URL-encoded twice": quote(quote(HELD, safe=""), safe=""),
    "URL-encoded but for slashes": quote(HELD),
    "form-encoded": quote_plus(HELD),
    "JSON": json.dumps({"note": HELD}),
    "JSON in JSON": json.dumps(json.dumps({"note": HELD})),
    "JSON with escaped slashes": json.dumps({"note": HELD}).replace("/", "\\/"),
    "Python repr": repr({"note": HELD}),
    "HTML": html.escape(HELD),
    "base64": base64.b64encode(HELD.encode()).decode(),
    "base64 after one byte": base64.b64encode(b"u" + HELD.encode()).decode(),
    "base64 of user:secret": base64.b64encode(b"me:" + HELD.encode()).decode(),
    "base64 in the middle": base64.b64encode(b"ab" + HELD.encode() + b" and more").decode(),
    "URL-safe base64": base64.urlsafe_b64encode(HELD.encode()).decode(),
    "base64, cut": base64.b64encode(b"me:" + HELD.encode()).decode()[:40],
    "hex": HELD.encode().hex(),
    "HEX": HELD.encode().hex().upper(),
    "its beginning": f"key {HELD[:20]}… refused",
    "its end": f"key …{HELD[-20:]} refused",
    "its first eight": f"key {HELD[:8]}… refused",
    "its last eight": f"key …{HELD[-8:]} refused",
    "both ends": f"{HELD[:8]}…{HELD[-8:]}",
    "all but the last character": HELD[:-1],
    "all but the first character": HELD[1:],
    "twice": HELD + HELD,
}
