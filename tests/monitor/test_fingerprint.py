"""monitor.fingerprint: the same cause has the same name wherever it is told of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.fingerprint import fingerprint, thrown_key
from scoring.served import Source, Thrown

ONE = Thrown(
    Source.APP_INSIGHTS,
    None,
    "script",
    "ValueError",
    "Input contains 3 NaN in column 'age' of <Frame at 0x7f12ab>",
    frame="/var/azureml-app/score.py:11 in run",
)


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, message="Input contains 17 NaN in column 'income' of <Frame at 0x7fee01>"),
        replace(ONE, frame="score.py:14 in run"),
        replace(ONE, source=Source.SERVICE_LOG, outer_type="UserScriptException", request_id="ab" * 16),
        replace(ONE, type="builtins.ValueError"),
        replace(ONE, message=ONE.message + "\nsecond line"),
    ],
    ids=["values", "line and folder", "source", "module of the type", "later lines"],
)
def test_what_does_not_make_another_cause_does_not_change_it(other: Thrown) -> None:
    """Values, line numbers, folders, sources and later lines leave the fingerprint as it is."""
    assert fingerprint(*thrown_key(other)) == fingerprint(*thrown_key(ONE))


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, type="KeyError"),
        replace(ONE, frame="score.py:11 in prepare"),
        replace(ONE, frame=None),
        replace(ONE, message="could not convert string to float"),
    ],
    ids=["type", "function", "no frame", "message"],
)
def test_what_makes_another_cause_changes_it(other: Thrown) -> None:
    """Another type, place or message is another cause."""
    assert fingerprint(*thrown_key(other)) != fingerprint(*thrown_key(ONE))


def test_a_fingerprint_names_its_version() -> None:
    """`v1:` and 12 hex digits, the same in every process."""
    assert fingerprint("answer", "503", "overloaded") == "v1:7e3a4daab6ed"
