"""A scenario written as files is read back as the same scenario."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.errors import RedlineError
from scoring.scenario import Expectation, Payload, Scenario
from scoring.scenariofile import read_scenario
from scoring.scenariotext import SCENARIO, scenario_files

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
BODIES = VALUES.map(lambda value: json.dumps(value).encode())
HEADERS = st.lists(
    st.tuples(st.from_regex(r"X-[A-Za-z]{1,8}", fullmatch=True), st.from_regex(r"[!-~]{1,12}", fullmatch=True)),
    max_size=3,
    unique_by=lambda header: header[0].lower(),
)


def back(folder: Path, scenario: Scenario) -> Scenario:
    """What is read from the files in which the scenario was written."""
    for name, content in scenario_files(scenario).items():
        (folder / name).write_bytes(content)
    return read_scenario(folder / SCENARIO)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bodies=st.lists(BODIES, min_size=1, max_size=4),
    headers=HEADERS,
    golden=st.none() | VALUES,
    status=st.integers(200, 599),
    deadline_ms=st.integers(1, 10**7),
)
def test_it_is_read_back(
    tmp_path: Path,
    bodies: list[bytes],
    headers: list[tuple[str, str]],
    golden: object,
    status: int,
    deadline_ms: int,
) -> None:
    """Bodies, golden answers, headers, expectation and deadline are the same."""
    payloads = tuple(Payload(f"{number}", body, golden, golden is not None) for number, body in enumerate(bodies))
    scenario = Scenario(
        "any",
        payloads,
        headers=tuple(headers),
        expectation=Expectation(status=status, schema={"type": "object"}),
        deadline_ns=deadline_ms * 1_000_000,
    )
    found = back(tmp_path, scenario)
    assert [json.loads(one.body) for one in found.payloads] == [json.loads(body) for body in bodies]
    assert [one.golden for one in found.payloads] == [golden for _ in bodies]
    assert replace(found, payloads=payloads) == scenario


def test_one_body_stands_as_it_is(tmp_path: Path) -> None:
    """Line breaks, bytes that are no text, and what is no JSON."""
    scenario = Scenario("csv", (Payload("a", b"x,y\r\n1,2\n\xff"),), content_type="text/csv")
    assert back(tmp_path, scenario).payloads[0].body == b"x,y\r\n1,2\n\xff"


def test_several_bodies_with_line_breaks_that_are_no_json_are_refused() -> None:
    """They cannot stand on a line each."""
    scenario = Scenario("csv", (Payload("a", b"x\ny"), Payload("b", b"z")))
    with pytest.raises(RedlineError, match="payload `a` is no JSON"):
        scenario_files(scenario)
