"""Files and functions stay small, names carry units, and no text names a machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.repository import ROOT, python_files, relative, shipped_files, text_files, tree_of

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
EMPTY_NAMES = {"utils", "util", "base", "manager", "common", "helpers", "misc"}
MEASURED = re.compile(r"(^|_)(latency|duration|timeout|wait|interval|deadline|elapsed|delay|age|lag)(_|$)")
NUMBER = re.compile(r"\b(int|float)\b")
UNIT = re.compile(r"_(ns|us|ms|s|minutes|h|days|at|ratio|count|rps)$")


@pytest.mark.parametrize("path", shipped_files(), ids=relative)
def test_a_file_fits_in_400_lines(path: Path) -> None:
    """A file answers one question."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", shipped_files(), ids=relative)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    """No function is longer than 60 lines, the options of a command included."""
    long = [
        f"{node.name}: {_lines(node)}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _lines(node) > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_most_functions_are_short() -> None:
    """At least 95 % of all functions have at most 40 lines, and half of them at most 12."""
    sizes = sorted(
        _lines(node)
        for path in shipped_files()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert sizes[int(0.95 * len(sizes))] <= 40
    assert sizes[len(sizes) // 2] <= 12


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_file_has_a_name_that_says_nothing() -> None:
    """No module is called utils, base, manager or common."""
    assert [relative(path) for path in python_files() if path.stem in EMPTY_NAMES] == []


@pytest.mark.parametrize("path", shipped_files(), ids=relative)
def test_a_field_that_holds_a_time_says_its_unit(path: Path) -> None:
    """A numeric dataclass field about a time ends in its unit."""
    assert [name for name in _numeric_fields(path) if MEASURED.search(name) and not UNIT.search(name)] == []


def _numeric_fields(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                match item:
                    case ast.AnnAssign(target=ast.Name(id=name)) if NUMBER.search(ast.unparse(item.annotation)):
                        yield name


@pytest.mark.parametrize("path", shipped_files(), ids=relative)
def test_every_module_says_what_it_is(path: Path) -> None:
    """A module begins with a docstring whose first line is a sentence."""
    first = (ast.get_docstring(tree_of(path)) or "").partition("\n")[0]
    assert first
    assert len(first) <= 120


@pytest.mark.parametrize("path", shipped_files(), ids=relative)
def test_only_the_command_line_and_the_recorder_catch_everything(path: Path) -> None:
    """`except Exception` stands in cli.main and in the child's recorder alone; who cleans up and raises again may."""
    caught = [
        node.lineno
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
        and ast.unparse(node.body[-1]) != "raise"
    ]
    assert caught == [] or relative(path) in ("cli.py", "locustfiles/_recorder.py")


def test_no_template_marks_a_text_as_safe() -> None:
    """No template switches escaping off."""
    marker = "|" + "safe"
    assert [
        relative(path)
        for path in text_files()
        if marker in path.read_text("utf-8", "replace").replace(" ", "")
        and path.suffix in (".html", ".j2", ".jinja", ".md.j2")
    ] == []


def test_no_file_names_a_place_of_one_machine() -> None:
    """Nothing that is shipped holds a path of somebody's home or workplace."""
    place = re.compile(r"(?<![\w.])/(?:root|home/\w+|Users/\w+|" + "wo" + r"rk)/")
    assert [relative(path) for path in text_files() if place.search(path.read_text("utf-8", "replace"))] == []


def test_tests_neither_mock_our_code_nor_sleep() -> None:
    """No test imports a mocking library, and none waits for the clock; servers that are slow on purpose may."""
    waiting = re.compile(r"unittest\.mock|from unittest import mock|\btime\.sleep\(")
    tests = [path for path in python_files() if path.name.startswith("test_") and path != Path(__file__)]
    assert [relative(path) for path in tests if waiting.search(path.read_text("utf-8"))] == []


def test_the_repository_has_what_a_stranger_looks_for() -> None:
    """Licence, README, CHANGELOG, Makefile and the CI script are there, and the script may be run."""
    for name in ("LICENSE", "README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", ".ci/run"):
        assert (ROOT / name).is_file(), name
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
