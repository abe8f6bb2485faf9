"""What the doctor found, as a person and as a program read it."""

from __future__ import annotations

import json
from unicodedata import category

import pytest

from reports.doctor import doctor_json, doctor_text
from scoring.check import Check, CheckOutcome, fail, ok, unknown, warn
from tests.cli import schemas

LONG = "az role assignment create --role 'AzureML Data Scientist' --assignee oid --scope /subscriptions/" + "s" * 200
FOUND = [
    ok("dns", "churn.example is 10.0.0.4 (IPv4)"),
    fail("key_required", "a request without a credential was let in", "close it"),
    warn("rights", "the principal may do everything on onlineEndpoints/churn", LONG),
    unknown("metrics", "nobody is signed in to Azure", "az login"),
    unknown("workers", "nobody is signed in to Azure", "az login"),
    warn("role_logs", "may not fetch logs", LONG),
]


def test_the_verdict_stands_first_and_each_check_on_its_line() -> None:
    """Words before signs, counts that add up, and what mends it on one line that can be copied."""
    text = doctor_text("churn", FOUND, color=False, width=80)
    assert text.startswith("NOT FIT  churn: 1 failed, 2 to mend, 2 not known, 1 fine, of 6 checks\n")
    assert "  ok       dns           churn.example is 10.0.0.4 (IPv4)\n" in text
    assert f"           fix: {LONG}\n" in text
    assert text.count("fix: az login") == 1
    assert text.count("fix: as above") == 1


@pytest.mark.parametrize(
    ("found", "word"),
    [
        ([ok("dns", "x")], "FIT  "),
        ([ok("dns", "x"), unknown("tls", "y")], "FIT, AS FAR AS KNOWN  "),
        ([unknown("tls", "y"), warn("rights", "x", "z")], "FIT, WITH WARNINGS  "),
        ([warn("rights", "x", "z"), fail("dns", "x", "y")], "NOT FIT  "),
    ],
)
def test_one_word_tells_the_worst(found: list[Check], word: str) -> None:
    """A failure before a warning before what is not known."""
    assert doctor_text("churn", found, color=False, width=80).startswith(word)


def test_signs_and_colours_are_for_a_terminal() -> None:
    """Without colour there is neither."""
    plain, bright = (doctor_text("churn", FOUND, color=color, width=100) for color in (False, True))
    assert not set("✓✗\x1b") & set(plain)
    assert {"✓", "✗", "\x1b"} <= set(bright)
    assert [line for line in plain.splitlines() if "fix:" not in line and len(line) > 100] == []


def test_the_document_is_what_its_schema_promises() -> None:
    """Every check with its four fields; a missing fix is null."""
    document = json.loads(doctor_json("churn", FOUND))
    assert schemas.faults("doctor", document) == []
    assert document["schema"] == 1
    assert document["checks"][0] == {
        "id": "dns",
        "outcome": "ok",
        "evidence": "churn.example is 10.0.0.4 (IPv4)",
        "fix": None,
    }


def test_hostile_words_are_shown_harmless() -> None:
    """Escape sequences, line breaks, bidi marks, a build server's commands, and a secret."""
    evil = "\x1b[31m\n::set-output name=x::1\u202e Authorization: Bearer q8szMDbCoNlxDZCpiGI8tnqaxtC1yDiy"
    found = [Check("dns", CheckOutcome.FAIL, evil, evil)]
    for text in (doctor_text(evil, found, color=False, width=60), doctor_json(evil, found)):
        assert {category(char) for char in text.replace("\n", "")} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()
        assert "q8sz" not in text
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())
