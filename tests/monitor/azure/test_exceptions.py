"""Exception rows of each generation, and of other software, told by their innermost cause."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.exceptions import thrown_of
from scoring.served import Thrown

LIBRARY = "/env/lib/python3.7/site-packages/azureml_inference_server_http/server/synchronous/routes.py"
STACK = """Traceback (most recent call last):
  File "/env/lib/python3.11/site-packages/azureml_inference_server_http/server/user_script.py", line 132, in invoke_run
    run_output = self._wrapped_user_run(**run_parameters)
  File "/var/azureml-app/score.py", line 11, in run
    return look_up(rows)
  File "/var/azureml-app/score.py", line 4, in look_up
    return row["feature"]
KeyError: 'feature'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/env/lib/python3.11/site-packages/azureml_inference_server_http/server/routes.py", line 222, in handle_score
    timed_result = main_blueprint.user_script.invoke_run(request)
azureml_inference_server_http.server.user_script.UserScriptException: Caught an unhandled exception from the user script
"""


def frame(path: str, line: int, method: str) -> dict[str, Any]:
    return {"assembly": "Unknown", "fileName": path, "line": line, "method": method}


def thrown(**row: Any) -> Thrown:
    """What is told of one row."""
    details = row.get("details")
    (found,) = thrown_of([{**row, "details": details if details is None else json.dumps(details)}], "exceptions")
    return found


def told(found: Thrown) -> tuple[str, str, str, str | None, str | None]:
    return found.kind, found.type, found.message, found.frame, found.outer_type


def test_the_text_of_a_stack_is_read_wherever_it_stands() -> None:
    """In the raw stack of the details (1.5), and in the message (0.5 to 1.4)."""
    expected = ("script", "KeyError", "'feature'", "score.py:4 in look_up", "UserScriptException")
    kind = "azureml_inference_server_http.server.user_script.UserScriptException"
    message = "Caught an unhandled exception from the user script"
    assert told(thrown(type=kind, message=message, details=[{"type": kind, "rawStack": STACK}])) == expected
    assert told(thrown(type="UserScriptException", message=f"(<class 'x'>, 1)\n{STACK}", details=[])) == expected


def test_frames_are_read_where_there_is_no_text() -> None:
    """0.4 sends the frames of the script's own exception, the innermost first, and no wrapper."""
    frames = [frame("/var/azureml-app/score.py", 33, "run"), frame(LIBRARY, 92, "timer"), frame(LIBRARY, 65, "score")]
    details = [{"id": "1", "outerId": "0", "type": "ValueError", "message": "bad row", "parsedStack": frames}]
    found = thrown(type="ValueError", message="bad row", outer_message="bad row", details=details)
    assert told(found) == ("script", "ValueError", "bad row", "score.py:33 in run", None)
    assert found.stack.splitlines()[-2:] == [
        '  File "/var/azureml-app/score.py", line 33, in run',
        "ValueError: bad row",
    ]


def test_a_timeout_of_an_old_server_is_a_timeout() -> None:
    """The alarm handler of the server raises inside of the script's line; a TimeoutException of the script does not."""
    handler = frame("/env/lib/python3.7/site-packages/x/server/routes_common.py", 153, "alarm_handler")
    frames = [handler, frame("/var/azureml-app/score.py", 35, "run")]
    details = [{"type": "TimeoutException", "message": "", "parsedStack": frames}]
    assert told(thrown(type="TimeoutException", message="", details=details)) == (
        "timeout",
        "TimeoutException",
        "",
        "score.py:35 in run",
        None,
    )
    own = [{"type": "TimeoutException", "message": "", "parsedStack": frames[1:]}]
    assert thrown(type="TimeoutException", message="", details=own).kind == "script"


def test_a_chain_of_frames_is_told_by_its_innermost_exception() -> None:
    """The outermost stands first; its own type is told beside the cause."""
    inner = [frame("/app/score.py", 4, "look_up")]
    details = [
        {"id": 1, "outerId": 0, "type": "RuntimeError", "message": "no answer", "parsedStack": []},
        {"id": 2, "outerId": 1, "type": "KeyError", "message": "'feature'", "parsedStack": inner},
    ]
    found = thrown(type="RuntimeError", message="'feature'", outer_message="no answer", details=details)
    assert told(found) == ("script", "KeyError", "'feature'", "score.py:4 in look_up", "RuntimeError")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"type": "System.IO.IOException", "message": "gone"}, ("server", "IOException", "gone", None, None)),
        ({"type": "AmlServerException", "message": ""}, ("server", "AmlServerException", "", None, None)),
        ({"type": "ValueError", "outer_message": "x"}, ("server", "ValueError", "x", None, None)),
        ({"type": None, "message": None}, ("server", "unknown", "", None, "")),
        (
            {"type": "UserScriptException", "message": "no stack"},
            ("script", "UserScriptException", "no stack", None, None),
        ),
        (
            {"type": "UserScriptTimeout", "message": "too long"},
            ("timeout", "UserScriptTimeout", "too long", None, None),
        ),
    ],
)
def test_a_row_without_a_stack_is_told_by_its_columns(row: dict[str, Any], expected: tuple[object, ...]) -> None:
    """Type and message as they are, and no frame."""
    assert told(thrown(**row)) == (*expected[:4], expected[4] or None)


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_no_details_break_the_telling(details: object) -> None:
    """Whatever stands in the column, the row is told."""
    assert thrown(type="ValueError", message="x", details=details).type


@pytest.mark.parametrize("depth", [900, 100_000])
def test_details_of_any_depth_are_told(depth: int) -> None:
    """Nesting that no server writes breaks nothing."""
    (found,) = thrown_of([{"type": "ValueError", "message": "x", "details": "[" * depth + "]" * depth}], "exceptions")
    assert (found.type, found.message) == ("ValueError", "x")


def test_the_same_row_twice_is_one_exception() -> None:
    """A row that arrived twice is one; the oldest comes first."""
    rows = [{"type": "A", "server_id": "1"}, {"type": "A", "server_id": "1"}, {"type": "A", "server_id": "2"}]
    assert len(thrown_of(rows, "exceptions")) == 2
