"""No planted secret survives in any form; text without one comes back byte for byte."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.redact import MARK, redact
from tests.scoring.secret_forms import FORMS, HELD, HELD_FORMS

PLANTED = "Zq7xV2mK9tR4wB6nL8pJ3hF5dS1gA0cY"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLXBhcnQ"

SHAPES = {
    "header": f"Authorization: Bearer {PLANTED}",
    "header in lower case": f"authorization: bearer {PLANTED}",
    "header without a scheme": f"Authorization: {PLANTED}",
    "header with Basic": f"Authorization: Basic {PLANTED}==",
    "header indented, as old service logs have it": f"    Authorization: Bearer {PLANTED}",
    "proxy header": f"Proxy-Authorization: Basic {PLANTED}",
    "header in JSON": json.dumps({"Authorization": f"Bearer {PLANTED}"}),
    "header in JSON without spaces": json.dumps({"authorization": PLANTED}, separators=(",", ":")),
    "header in JSON in JSON": json.dumps(json.dumps({"Authorization": f"Bearer {PLANTED}"})),
    "header in a Python dict": str({"Authorization": f"Bearer {PLANTED}"}),
    "header in a Python dict of bytes": str({b"Authorization": f"Bearer {PLANTED}".encode()}),
    "header in a list of pairs": str([("api-key", PLANTED)]),
    "header in a JSON pair": json.dumps([["X-Api-Key", PLANTED]]),
    "curl -H with double quotes": f'curl -H "Authorization: Bearer {PLANTED}" http://127.0.0.1/score',
    "curl -H with single quotes": f"curl -H 'x-api-key: {PLANTED}' http://127.0.0.1/score",
    "curl --header=": f"curl --header=api-key:{PLANTED} http://127.0.0.1/score",
    "cookie": f"Cookie: session={PLANTED}; theme=dark",
    "set-cookie": f"Set-Cookie: sid={PLANTED}; Path=/; HttpOnly",
    "set-cookie in JSON": json.dumps({"Set-Cookie": f"sid={PLANTED}; Path=/"}),
    "x-api-key": f"X-Api-Key: {PLANTED}",
    "api-key": f"api-key: {PLANTED}",
    "functions key": f"x-functions-key: {PLANTED}",
    "auxiliary authorization": f"x-ms-authorization-auxiliary: Bearer {PLANTED}",
    "API Management": f"Ocp-Apim-Subscription-Key: {PLANTED}",
    "API Management in JSON": json.dumps({"ocp-apim-subscription-key": PLANTED}),
    "header with an equals sign": f"authorization=Bearer {PLANTED}",
    "bearer alone": f"sent Bearer {PLANTED} to the endpoint",
    "bearer in a query": f"?auth=Bearer%20{PLANTED}",
    "bearer in a form": f"auth=Bearer+{PLANTED}",
    "listKeys answer": json.dumps({"primaryKey": PLANTED, "secondaryKey": PLANTED}),
    "primary_key in a dict": str({"primary_key": PLANTED}),
    "token answer": json.dumps({"accessToken": PLANTED, "tokenType": "Bearer"}),
    "OAuth answer": json.dumps({"access_token": PLANTED, "expires_in": 3599}),
    "refresh token": json.dumps({"refresh_token": PLANTED}),
    "client secret": json.dumps({"client_secret": PLANTED}),
    "client secret in a form": f"grant_type=client_credentials&client_secret={PLANTED}&scope=x",
    "password in JSON": json.dumps({"password": PLANTED}),
    "password with a quote in it": json.dumps({"password": f'ab"{PLANTED}'}),
    "password in a repr": str({"password": PLANTED}),
    "storage account": f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={PLANTED}==;EndpointSuffix=core",
    "service bus": f"Endpoint=sb://x/;SharedAccessKeyName=Root;SharedAccessKey={PLANTED}=",
    "instrumentation key": f"InstrumentationKey={PLANTED};IngestionEndpoint=https://127.0.0.1/",
    "shared access signature": f"BlobEndpoint=https://x/;SharedAccessSignature=sv%3D2022%26sig%3D{PLANTED}",
    "database password": f"Server=tcp:x;User ID=me;Password={PLANTED};Encrypt=True",
    "Pwd": f"Driver=x;Uid=me;Pwd={PLANTED};",
    "SAS": f"https://a.blob.core.windows.net/c/b?sv=2022-11-02&sp=r&sig={PLANTED}%3D",
    "SAS signature first": f"https://a.blob.core.windows.net/c/b?sig={PLANTED}&sv=2022",
    "functions code": f"https://x.azurewebsites.net/api/score?code={PLANTED}",
    "key in a query": f"GET /score?api_key={PLANTED} HTTP/1.1",
    "subscription-key in a query": f"GET /score?subscription-key={PLANTED}",
    "token in a query": f"GET /score?a=1&token={PLANTED}",
    "user info": f"https://me:{PLANTED}@registry.example/v2",
    "token as user info": f"https://:{PLANTED}@registry.example/v2",
    "PEM": f"-----BEGIN PRIVATE KEY-----\n{PLANTED}\n-----END PRIVATE KEY-----",
    "RSA PEM": f"-----BEGIN RSA PRIVATE KEY-----\n{PLANTED}\n-----END RSA PRIVATE KEY-----",
    "cut PEM": f"-----BEGIN EC PRIVATE KEY-----\n{PLANTED}\n",
    "PEM on one line": f"-----BEGIN PRIVATE KEY-----\\n{PLANTED}\\n-----END PRIVATE KEY-----",
}


@pytest.mark.parametrize("form", HELD_FORMS)
def test_a_secret_we_hold_is_found_in_every_form_it_travels_in(form: str) -> None:
    """Neither the form itself nor twelve characters of it in a row are left."""
    text = HELD_FORMS[form]
    left = redact(text, [HELD])
    assert MARK in left
    pieces = {HELD[i : i + 12] for i in range(len(HELD) - 11)}
    assert not [piece for piece in pieces if piece in left]
    coded = base64.b64encode(HELD.encode()).decode()
    assert coded[4:-4] not in left


@pytest.mark.parametrize("form", SHAPES)
def test_a_secret_nobody_told_us_of_is_found_by_its_shape(form: str) -> None:
    """The planted value is gone although it is not among the secrets given."""
    left = redact(SHAPES[form])
    assert PLANTED not in left
    assert MARK in left


@pytest.mark.parametrize("text", [JWT, f"token {JWT} expired", JWT[:-10], f"x={JWT}&y=1"])
def test_a_json_web_token_is_found_even_when_cut(text: str) -> None:
    """Neither the claims nor the signature are left."""
    assert "eyJzdWIi" not in redact(text)


@pytest.mark.parametrize(("text", "secret"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_no_planted_secret_is_left(text: str, secret: str) -> None:
    """The secret is gone, the rest settles, and the mark tells that something stood there."""
    left = redact(text)
    assert secret not in left
    assert MARK in left
    assert redact(left) == left


@pytest.mark.parametrize("form", ["its first eight", "its last eight", "both ends"])
def test_eight_characters_of_either_end_of_a_held_secret_are_enough(form: str) -> None:
    """A key shown as its first or last eight characters is not shown."""
    left = redact(HELD_FORMS[form], [HELD])
    assert HELD[:8] not in left
    assert HELD[-8:] not in left


def test_a_held_secret_that_begins_like_a_word_leaves_the_word_alone() -> None:
    """Of `development-key-2041` the word `development` stays in other texts."""
    assert redact("the development server", ["development-key-2041"]) == "the development server"


def test_a_secret_found_in_one_place_is_gone_from_every_place_of_the_text() -> None:
    """The header says that it is a secret; a sentence after it repeats it."""
    left = redact(f"Authorization: Bearer {PLANTED}\nno such user: {PLANTED}")
    assert left == f"Authorization: Bearer {MARK}\nno such user: {MARK}"


def test_the_rest_of_the_line_stays() -> None:
    """Only the value goes."""
    assert redact(f"tool --token {PLANTED} --verbose") == f"tool --token {MARK} --verbose"
    assert redact(f'{{"password": "{PLANTED}", "user": "me"}}') == f'{{"password": "{MARK}", "user": "me"}}'
    assert redact(f"Server=x;Password={PLANTED};Encrypt=True") == f"Server=x;Password={MARK};Encrypt=True"
    assert redact(f"https://me:{PLANTED}@db.example/x") == f"https://me:{MARK}@db.example/x"


CLEAN = """\
2026-01-01 10:00:00,617 I [784] azmlinfsrv - POST /score 200 0.984ms 18
2026-01-01 10:00:00,618 I [784] gunicorn.access - 127.0.0.1 - - [01/Jan/2026:10:00:00 +0000] "POST /score" 200 18
2026-01-01 10:00:00,632 I [784] azmlinfsrv.print - the key of the dictionary was not found
2021-02-07 08:21:31,073 | root | INFO | Validation Request Content-Type
KeyError: 'data'
{"message": "An unexpected error occurred in scoring script. Check the logs for more info."}
x-ms-client-request-id: 0123456789abcdef0123456789abcdef
x-request-id: 6f1d2c3b-0000-4000-8000-1234567890ab
azureml-model-deployment: blue
Content-Type: application/json; charset=utf-8
key_env = "SCORING_KEY"
auth = "key"
the authorization was refused; ask for the basic rights of a reader
{"result": [0.123456789, 1e-06], "tokens": 17, "key": "customer_id", "signature": "float32"}
https://churn.westeurope.inference.ml.azure.com/score?version=2&keys=a,b
-----BEGIN CERTIFICATE-----
MIIBszCCAVmgAwIBAgIUYm9ndXM
-----END CERTIFICATE-----
az ml online-endpoint get-credentials -n churn-prod
Too many requests for service churn (overloaded)
mailto:someone@example.com at 10:30 via http://127.0.0.1:5001/score
Basic authentication is off. Bearer authentication, too
password policy: at least twelve characters
Invalid password: too short
PWD=/var/azureml-app
client = Client(api_key=settings.api_key, token=get_token())
password = os.environ["DB_PASSWORD"]
{"password": null, "api_key": "", "token": "***", "secret": "<your secret>"}
WWW-Authenticate: Bearer authorization_uri="https://login.windows.net/common", error="invalid_token"
{"type": "apiKey", "name": "Authorization", "in": "header"}
headers = ["Authorization", "Cookie", "x-api-key"]
operation_Id 4bf92f3577b34da6a3ce929d0e0e4736 traceparent 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
"integrity": "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="
GET http://127.0.0.1:5001?email=someone@example.com
if token == expected: return key
max_tokens: 4096, tokenizer=bert-base-uncased
partition key: customer_2041, primary_key=True
disk-usage task-runner-with-a-long-name-of-words
KeyError: 'SharedAccessKeyName'
"""


@pytest.mark.parametrize("line", CLEAN.splitlines())
def test_a_clean_line_comes_back_byte_for_byte(line: str) -> None:
    """Lines of logs, settings and answers that hold no secret are not touched."""
    assert redact(line, [HELD]) == line


def test_the_clean_corpus_as_a_whole_is_not_touched() -> None:
    """No rule reaches across lines of clean text."""
    assert redact(CLEAN, [HELD]) == CLEAN


@settings(deadline=None)
@given(
    st.text(max_size=80), st.text(max_size=80), st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12)
)
def test_a_held_secret_never_survives_between_any_two_texts(before: str, after: str, secret: str) -> None:
    """Whatever stands around it, the secret is gone."""
    assert secret not in redact(before + secret + after, [secret]).replace(MARK, "\n")


@settings(deadline=None)
@given(st.text(max_size=300))
def test_redaction_settles(text: str) -> None:
    """A redacted text holds nothing more to redact."""
    once = redact(text)
    assert redact(once) == once


def test_a_value_too_short_to_be_a_secret_takes_no_words_away() -> None:
    """A five-character value would blank ordinary text and is left to the header rules."""
    assert redact("score the score", ["score"]) == "score the score"
