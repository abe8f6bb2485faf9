"""redline.toml: what it may say, and one bad file per rule with the exact message."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.alertplan import AlertPlan, Window
from scoring.checkplan import CheckPlan
from scoring.cron import Cron
from scoring.endpoint import Hosting
from scoring.errors import Exit, RedlineError
from scoring.settings import read_settings
from scoring.tomlfile import Document, lines_of_keys
from scoring.units import HOUR, MIN, S

URI = 'scoring_uri = "https://churn.example/score"\n'
FULL = """\
[endpoints.churn-prod]
scoring_uri = "https://churn.example/score"
hosting = "managed"
deployment = "blue"
auth = "key"
key_env = "CHURN_KEY"
scenario = "scenarios/churn.toml"
goals = ["p95<=300ms", "errors<=1%"]
need = "25rps"
arm_id = "/subscriptions/0/x"
workspace_id = "0000"
ca_file = "ca.pem"
instances = 2
max_concurrent = 4
request_timeout = "5s"
[endpoints.churn-prod.checks]
every = "5m"
[endpoints.other]
scoring_uri = "http://127.0.0.1:5001/score"
key_file = "/run/key"
[alerts]
remind = "2h"
[maintenance.patching]
cron = "0 2 * * SUN"
for = "2h"
"""


def read(tmp_path: Path, text: str) -> object:
    file = tmp_path / "redline.toml"
    file.write_text(text, encoding="utf-8")
    return read_settings(file)


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(RedlineError) as caught:
        read(tmp_path, text)
    assert caught.value.exit_code is Exit.USAGE
    return [line.removeprefix(f"{tmp_path}/redline.toml:") for line in caught.value.message.splitlines()]


def test_every_key_of_the_contract_is_read(tmp_path: Path) -> None:
    """Each documented key arrives, relative paths beside the file, durations in nanoseconds."""
    file = tmp_path / "redline.toml"
    file.write_text(FULL, encoding="utf-8")
    settings = read_settings(file)
    endpoint = settings.endpoints["churn-prod"]
    assert (endpoint.hosting, endpoint.deployment, endpoint.auth) == (Hosting.MANAGED, "blue", "key")
    assert (endpoint.key_env, endpoint.goals, endpoint.need) == ("CHURN_KEY", ("p95<=300ms", "errors<=1%"), "25rps")
    assert (endpoint.scenario, endpoint.ca_file) == (f"{tmp_path}/scenarios/churn.toml", f"{tmp_path}/ca.pem")
    assert (endpoint.instances, endpoint.max_concurrent, endpoint.request_timeout_ns) == (2, 4, 5 * S)
    assert (endpoint.expected_admitted, endpoint.arm_id, endpoint.workspace_id) == (16, "/subscriptions/0/x", "0000")
    assert (settings.endpoints["other"].key_file, settings.endpoints["other"].auth) == ("/run/key", "key")
    assert settings.checks == {"churn-prod": CheckPlan(every_ns=5 * MIN), "other": CheckPlan()}
    assert settings.alerts == AlertPlan(remind_ns=2 * HOUR)
    assert settings.maintenance == (Window("patching", cron=Cron("0 2 * * SUN"), for_ns=2 * HOUR),)


def test_an_empty_file_has_no_endpoints(tmp_path: Path) -> None:
    """Nothing said is nothing wrong."""
    file = tmp_path / "redline.toml"
    file.write_text("", encoding="utf-8")
    assert read_settings(file).endpoints == {}


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("instnces = 2", "3: endpoints.a.instnces: unknown key; did you mean instances"),
        (
            'hosting = "azure"',
            "3: endpoints.a.hosting: `azure` is unknown; allowed: aci, aks, managed, kubernetes, local",
        ),
        ("hosting = 3", "3: endpoints.a.hosting: `3` is unknown; allowed: aci, aks, managed, kubernetes, local"),
        ('auth = "basic"', "3: endpoints.a.auth: `basic` is unknown; allowed: none, key, token, entra"),
        ("instances = 0", "3: endpoints.a.instances: `0` is no count; allowed: a whole number from 1 on"),
        ("instances = true", "3: endpoints.a.instances: `true` is no count; allowed: a whole number from 1 on"),
        ("max_concurrent = 1.5", "3: endpoints.a.max_concurrent: `1.5` is no count; allowed: a whole number from 1 on"),
        (
            'request_timeout = "5"',
            "3: endpoints.a.request_timeout: `5` is not a duration; "
            "allowed: a number and a unit: 20ms, 5s, 1.5s, 10m, 1h",
        ),
        (
            'request_timeout = "0s"',
            '3: endpoints.a.request_timeout: `0s` is no duration; allowed: a text with a unit, longer than 0: "20ms", '
            '"5s", "10m"',
        ),
        (
            'goals = "p95<=300ms"',
            '3: endpoints.a.goals: `p95<=300ms` is no list of texts; allowed: ["p95<=300ms", "errors<=1%"]',
        ),
        ('need = "many"', '3: endpoints.a.need: `many` is no need; allowed: "25rps", "40users"'),
        ('scenario = "-"', "3: endpoints.a.scenario: `-` is no file; allowed: the path of a scenario file"),
        ("ca_file = 3", "3: endpoints.a.ca_file: `3` is no text; allowed: a printable text in quotes"),
        (
            'deployment = "a b"',
            "3: endpoints.a.deployment: `a b` is no deployment name; allowed: letters, digits and dashes",
        ),
        (
            'key_env = "A"\nkey_file = "b"',
            "4: endpoints.a.key_file: key_env and key_file are both given; allowed: one of them",
        ),
        (
            'auth = "none"\nkey_env = "A"',
            "3: endpoints.a.auth: `none` although key_env is given; allowed: key, token, entra",
        ),
        ("checks = 5", "3: endpoints.a.checks: `5` is no table; allowed: [endpoints.a.checks] with keys below it"),
    ],
)
def test_a_mistake_is_told_with_its_line_the_value_and_what_is_allowed(tmp_path: Path, line: str, mistake: str) -> None:
    """One bad line gives exactly one message."""
    assert mistakes(tmp_path, f"[endpoints.a]\n{URI}{line}\n") == [mistake]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("[endpoint.a]\n", "1: endpoint: unknown key; did you mean endpoints"),
        ("alerts = 3\n", "1: alerts: `3` is no table; allowed: [alerts] with keys below it"),
        ("\n[endpoints]\na = 3\n", "3: endpoints.a: `3` is no table; allowed: [endpoints.a] with keys below it"),
        ("[endpoints.a]\n", "1: endpoints.a: scoring_uri is missing; allowed: the https address that Azure shows"),
        ("[endpoints.a\n", "1: no TOML: Expected ']' at the end of a table declaration"),
        ("a = 1\na = 2\n", "2: no TOML: Cannot overwrite a value"),
        (
            f'[endpoints."a/b"]\n{URI}',
            "1: endpoints.a/b: no endpoint name; allowed: up to 64 letters, digits, dots, dashes and underscores",
        ),
    ],
)
def test_a_mistake_of_structure_is_told_with_its_line(tmp_path: Path, text: str, mistake: str) -> None:
    """Tables that are none, names that are none and text that is no TOML have their line too."""
    told = mistakes(tmp_path, text)
    assert mistake in told or told == [mistake]


@pytest.mark.parametrize(
    "uri", ["churn.example/score", "ftp://x/score", "https:///score", "https://x/#f", "http://x:0/"]
)
def test_an_address_that_is_none_is_told(tmp_path: Path, uri: str) -> None:
    """A scoring URI needs http or https, a host, a port that exists and no fragment."""
    (told,) = mistakes(tmp_path, f'[endpoints.a]\nscoring_uri = "{uri}"\n')
    assert told.startswith("2: endpoints.a.scoring_uri: ")
    assert "; allowed: " in told


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Five mistakes in two endpoints give a heading and five lines, sorted."""
    text = f'[endpoints.a]\n{URI}hosting = "x"\ninstances = -1\n[endpoints.b]\ngoals = [1]\n[allerts]\n'
    heading, *told = mistakes(tmp_path, text)
    assert heading.endswith("redline.toml has 5 mistakes")
    assert [int(line.split(":")[0]) for line in told] == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "line",
    [
        'key = "S3CRETS3CRET"',
        'primary_key = "S3CRETS3CRET"',
        'api-key = "S3CRETS3CRET"',
        'token = "S3CRETS3CRET"',
        'password = "S3CRETS3CRET"',
        'connection_string = "S3CRETS3CRET"',
        'something = "S3CRETS3CRET"',
        'key_env = "S3CRETS3CRET=="',
        'key_env = "S3CRETS3CRETS3CRETS3CRETS3CRET12"',
        'auth = "Bearer S3CRETS3CRET"',
        'scoring_uri = "https://me:S3CRETS3CRET@x/score"',
    ],
)
def test_a_secret_in_the_file_is_refused_and_never_shown(tmp_path: Path, line: str) -> None:
    """Wherever a secret stands by mistake, the message names the key and not the value."""
    with pytest.raises(RedlineError) as caught:
        read(tmp_path, f"[endpoints.a]\n{line}\n")
    assert "S3CRETS3CRET" not in f"{caught.value.message} {caught.value.hint} {caught.value!r}"
    assert line.split(" = ")[0] in caught.value.message


def test_a_secret_by_name_says_where_secrets_belong(tmp_path: Path) -> None:
    """`key = …` is answered with the three ways to name a secret."""
    assert mistakes(tmp_path, f'[endpoints.a]\n{URI}key = "x"\n') == [
        "3: endpoints.a.key: a secret never stands in this file (value not shown); "
        "allowed: key_env, key_file or key_vault"
    ]


def test_a_file_that_cannot_be_read_is_told_with_its_path(tmp_path: Path) -> None:
    """Absent, a folder, or not UTF-8: one line each, no traceback."""
    with pytest.raises(RedlineError, match=r"nothere\.toml cannot be read: No such file"):
        read_settings(tmp_path / "nothere.toml")
    with pytest.raises(RedlineError, match="cannot be read: Is a directory"):
        read_settings(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'a = "\xfc"')
    with pytest.raises(RedlineError, match="not UTF-8 at byte 5"):
        read_settings(tmp_path / "latin.toml")


def test_escape_sequences_of_the_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    """Keys and values are quoted harmlessly."""
    told = mistakes(tmp_path, f'[endpoints.a]\n{URI}hosting = "\\u001b[31mred"\n"\\u001b[2J" = 1\n')
    assert all(line.isprintable() for line in told)


LINES = '''\
# comment
top = 1
[a.b]  # comment
c = """
d = 2
"""
e = [
  1, # ]
  2,
]
f.g = {h = 1}
"quoted key" = 'x'

[[list]]
i = 1
[[list]]
j = """one line"""
'''


def test_the_line_of_every_key_is_found() -> None:
    """Tables, dotted and quoted keys, values over several lines, arrays of tables: counted by hand."""
    assert lines_of_keys(LINES) == {
        (): 2,
        ("top",): 2,
        ("a",): 3,
        ("a", "b"): 3,
        ("a", "b", "c"): 4,
        ("a", "b", "e"): 7,
        ("a", "b", "f"): 11,
        ("a", "b", "f", "g"): 11,
        ("a", "b", "f", "g", "h"): 11,
        ("a", "b", "quoted key"): 12,
        ("list",): 14,
        ("list", "i"): 15,
        ("list", "j"): 17,
    }


@given(
    st.lists(
        st.sampled_from(["", "# c", 'k = """\nx = 1\n"""', "k = [\n1,\n]", "k = 1", "[t]", '"q.r" = {z = 1}']),
        max_size=8,
    )
)
def test_a_key_is_found_wherever_it_stands(before: list[str]) -> None:
    """Whatever stands before it, the last key's line is the number of lines before it plus one."""
    unique = [line.replace("k", f"k{i}").replace("t]", f"t{i}]").replace("q", f"q{i}") for i, line in enumerate(before)]
    text = "\n".join([*unique, "target = 1", ""])
    lines = lines_of_keys(text)
    (found,) = [line for path, line in lines.items() if path[-1:] == ("target",)]
    assert text.split("\n")[found - 1] == "target = 1"


@given(st.text(max_size=100))
def test_any_text_is_toml_or_told_as_a_mistake(text: str) -> None:
    """No text raises anything but RedlineError."""
    with contextlib.suppress(RedlineError):
        lines_of_keys(Document("x.toml", text).text)


@pytest.mark.parametrize("number", ["1" * 5000, "0x" + "f" * 5000])
def test_a_number_of_five_thousand_digits_is_told_not_raised(tmp_path: Path, number: str) -> None:
    """Python refuses to read or print such numbers; the message is still one line with its place."""
    (told,) = mistakes(tmp_path, f"[endpoints.a]\n{URI}instances = {number}\n")
    assert len(told) < 200
