"""Scenario files, payload files, JSON lines and folders."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scoring.errors import RedlineError
from scoring.scenario import Expectation, Payload
from scoring.scenariofile import read_scenario
from scoring.settings import read_settings
from scoring.units import S


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def told(folder: Path, text: str) -> list[str]:
    file = written(folder, s__toml=text) / "s.toml"
    with pytest.raises(RedlineError) as caught:
        read_scenario(file)
    return [line.replace(f"{folder}/", "") for line in caught.value.message.splitlines()]


def test_without_a_file_an_empty_object_is_sent_and_json_expected() -> None:
    """The plain scenario: `{}`, POST, application/json, 200, JSON, 30 s in all."""
    scenario = read_scenario(None)
    assert scenario.payloads == (Payload("empty object", b"{}"),)
    assert (scenario.method, scenario.content_type, scenario.deadline_ns) == ("POST", "application/json", 30 * S)
    assert scenario.expectation == Expectation()


def test_a_scenario_file_says_what_to_send_and_what_is_good(tmp_path: Path) -> None:
    """Every documented key arrives; paths are beside the file."""
    written(tmp_path, body__json='{"data": [1]}', answer__json='{"result": [2]}', shape__json='{"type": "object"}')
    written(
        tmp_path,
        churn__toml="""\
deadline = "2s"
content_type = "application/json; charset=utf-8"
[payload]
path = "body.json"
[headers]
X-Team = "churn"
[expect]
status = 201
schema = "shape.json"
golden = "answer.json"
tolerance = 0.01
max_bytes = 1000
""",
    )
    scenario = read_scenario(tmp_path / "churn.toml")
    assert (scenario.name, scenario.deadline_ns, scenario.headers) == ("churn", 2 * S, (("X-Team", "churn"),))
    assert scenario.content_type == "application/json; charset=utf-8"
    assert scenario.payloads == (Payload("body.json", b'{"data": [1]}', {"result": [2]}, True),)
    assert scenario.expectation == Expectation(201, True, {"type": "object"}, 0.01, 1000)


def test_a_payload_file_is_sent_byte_for_byte(tmp_path: Path) -> None:
    """White space and bytes that are no text arrive as they stand."""
    (tmp_path / "image.bin").write_bytes(b"\x00\xff \n")
    assert read_scenario(None, payload=tmp_path / "image.bin").payloads == (Payload("image.bin", b"\x00\xff \n"),)


def test_a_folder_gives_its_json_files_in_order_with_their_golden_answers(tmp_path: Path) -> None:
    """b.golden.json is the golden answer of b.json and no payload."""
    written(tmp_path, b__json="[2]", a__json="[1]", b__golden__json="null", notes__txt="no")
    scenario = read_scenario(None, payload=tmp_path)
    assert scenario.payloads == (Payload("a.json", b"[1]"), Payload("b.json", b"[2]", None, True))


def test_each_json_line_is_a_payload(tmp_path: Path) -> None:
    """A line with exactly `payload` and `golden` is both; any other is the payload itself; blank lines are none."""
    lines = ['{"data": [1]}', "", '{"payload": {"data": "ü"}, "golden": {"result": 3}}', '  {"payload": 1}  ']
    written(tmp_path, p__jsonl="\r\n".join(lines))
    assert read_scenario(None, payload=tmp_path / "p.jsonl").payloads == (
        Payload("p.jsonl:1", b'{"data": [1]}'),
        Payload("p.jsonl:3", '{"data":"ü"}'.encode(), {"result": 3}, True),
        Payload("p.jsonl:4", b'{"payload": 1}'),
    )


def test_every_bad_json_line_is_told(tmp_path: Path) -> None:
    """Two bad lines give two messages with their numbers."""
    written(tmp_path, p__jsonl='{}\n{"a":\n{}\nnope\n')
    with pytest.raises(RedlineError) as caught:
        read_scenario(None, payload=tmp_path / "p.jsonl")
    assert [line.split(":")[1] for line in caught.value.message.splitlines()] == ["2", "4"]


@pytest.mark.parametrize(
    ("inline", "body"),
    [("'{\"a\": 1}'", b'{"a": 1}'), ("{a = [1, 2]}", b'{"a": [1, 2]}'), ('"text"', b"text"), ("[1, 2]", b"[1, 2]")],
)
def test_an_inline_payload_is_a_text_as_it_stands_or_a_value_as_json(tmp_path: Path, inline: str, body: bytes) -> None:
    """Text is sent as it stands; a table or list is sent as JSON."""
    file = written(tmp_path, s__toml=f"[payload]\ninline = {inline}\n") / "s.toml"
    assert read_scenario(file).payloads[0].body == body


def test_what_the_command_line_gives_wins(tmp_path: Path) -> None:
    """Payload, a header of the same name, Content-Type, deadline and expect_json replace the file's."""
    text = '[payload]\ninline = "a"\n[headers]\nX-A = "1"\nX-B = "2"\n'
    file = written(tmp_path, s__toml=text, p__csv="1,2") / "s.toml"
    scenario = read_scenario(
        file,
        payload=tmp_path / "p.csv",
        headers=[("x-a", "3"), ("content-type", "text/csv")],
        expect_json=False,
        deadline_ns=S,
    )
    assert scenario.payloads == (Payload("p.csv", b"1,2"),)
    assert (scenario.headers, scenario.content_type) == ((("X-B", "2"), ("x-a", "3")), "text/csv")
    assert (scenario.expectation.json, scenario.deadline_ns, scenario.name) == (False, S, "s")


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("payloads = 1\n", ["s.toml:1: payloads: unknown key; did you mean payload"]),
        (
            "deadline = 30\n",
            [
                's.toml:1: deadline: `30` is no duration; allowed: a text with a unit, longer than 0: "20ms", "5s", '
                '"10m"'
            ],
        ),
        ('method = "BREW"\n', ["s.toml:1: method: `BREW` is unknown; allowed: POST, GET, PUT"]),
        (
            '[payload]\npath = "nothere"\n',
            [
                "s.toml:1: payload: nothere cannot be read: No such file or directory; "
                "allowed: a file that can be read; ls -l nothere"
            ],
        ),
        (
            '[payload]\npath = "a"\ninline = "b"\n',
            ["s.toml:1: payload: path and inline are both given; allowed: one of them"],
        ),
        (
            '[headers]\nAuthorization = "Bearer S3CRETS3CRET"\n',
            [
                "s.toml:2: headers.Authorization: a secret never stands in a file or command; "
                "use key_env or key_file, not the header Authorization"
            ],
        ),
        ('[headers]\nX-A = "1"\nx-a = "2"\n', ["s.toml:3: headers.x-a: header x-a is given twice"]),
        ("[headers]\nX-A = 1\n", ["s.toml:2: headers.X-A: `1` is no text; allowed: a text in quotes"]),
        ("[expect]\nstatus = 99\n", ["s.toml:2: expect.status: `99` is no status; allowed: 200 to 599"]),
        ('[expect]\njson = "yes"\n', ["s.toml:2: expect.json: `yes` is no truth value; allowed: true, false"]),
        (
            "[expect]\ntolerance = 2\n",
            ["s.toml:2: expect.tolerance: `2` is no tolerance; allowed: a number from 0 to 1, such as 1e-6"],
        ),
        ("expect = 1\n", ["s.toml:1: expect: `1` is no table; allowed: [expect] with keys below it"]),
    ],
)
def test_a_mistake_in_a_scenario_is_told_with_its_line(tmp_path: Path, text: str, messages: list[str]) -> None:
    """One bad line gives exactly one message, and no secret."""
    assert told(tmp_path, text) == messages


def test_a_schema_that_is_none_or_reaches_outside_is_refused(tmp_path: Path) -> None:
    """A wrong type word and a reference to another address are told; nothing is fetched."""
    written(tmp_path, bad__json='{"type": "objekt"}', far__json='{"$ref": "http://127.0.0.1:1/x.json"}')
    assert "is no JSON Schema" in told(tmp_path, '[expect]\nschema = "bad.json"\n')[0]
    assert "which is never fetched" in told(tmp_path, '[expect]\nschema = "far.json"\n')[0]


def test_a_golden_folder_without_an_answer_for_any_payload_is_told(tmp_path: Path) -> None:
    """A folder that matches no payload is a mistake, not an expectation of nothing."""
    (tmp_path / "golden").mkdir()
    assert "holds no golden answer for any payload" in told(tmp_path, '[expect]\ngolden = "golden"\n')[0]


def test_golden_answers_come_from_a_folder_by_name(tmp_path: Path) -> None:
    """golden/a.json is the answer to a.json."""
    (tmp_path / "golden").mkdir()
    written(tmp_path, a__json="[1]", s__toml='[payload]\npath = "a.json"\n[expect]\ngolden = "golden"\n')
    (tmp_path / "golden" / "a.json").write_text(json.dumps({"r": 1}), encoding="utf-8")
    assert read_scenario(tmp_path / "s.toml").payloads[0].golden == {"r": 1}


@pytest.mark.parametrize("payload", ["-", "nothere.json"])
def test_a_payload_that_cannot_be_read_again_is_refused(payload: str) -> None:
    """Standard input and absent files are told in one line."""
    with pytest.raises(RedlineError):
        read_scenario(None, payload=payload)


def test_the_examples_of_the_document_are_read(tmp_path: Path) -> None:
    """The TOML of docs/scenario.md is a scenario file and a redline.toml without a mistake."""
    document = (Path(__file__).parents[2] / "docs" / "scenario.md").read_text(encoding="utf-8")
    scenario, settings = re.findall(r"```toml\n(.*?)```", document, re.DOTALL)
    (tmp_path / "golden").mkdir()
    (tmp_path / "payloads").mkdir()
    for name in ("answer.schema.json", "payloads/a.json", "golden/a.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    written(tmp_path, s__toml=scenario, redline__toml=settings)
    assert read_scenario(tmp_path / "s.toml").payloads == (Payload("a.json", b"{}", {}, True),)
    assert list(read_settings(tmp_path / "redline.toml").endpoints) == ["churn-prod"]
