"""The cause in the text of a Python traceback: the exception that began it, and where in the user's script it arose.

Python prints a chain from its beginning: the first traceback is the cause, the last one is what was caught outside. An
exception group is told as a group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = re.compile(r"(?:Exception Group )?Traceback \(most recent call last\):[ \t]*$")
_CONNECTORS = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
_FRAME = re.compile(r'\s*File "(?P<path>[^"\n]*)", line (?P<line>\d+)(?:, in (?P<function>.*\S))?\s*$')
_RAISED = re.compile(r"(?P<type>[^\W\d][\w.]*(?:\.<locals>\.[\w.]+)*)(?:: ?(?P<message>.*))?$", re.DOTALL)
_NAMED = re.compile(r"(?:Error|Exception|Warning|Exit|Interrupt|Timeout|Group|Iteration)\b")
_MEMBER = re.compile(r"(?P<indent> *)\+-\+-+ 1 -+$")
_GROUP = re.compile(r"\(\d+ sub-exceptions?\)$")
_MARGIN = re.compile(r" *(?:\||\+(?= Exception Group Traceback)) ?")
_NOT_THE_USERS = re.compile(
    r"[\\/](?:site|dist)-packages[\\/]"
    r"|[\\/]lib[\\/]python\d[\d.]*[\\/]"
    r"|[\\/]azureml-server[\\/]"  # the server of the oldest images
    r"|^<",  # frozen modules, and code that stands in no file
    re.IGNORECASE,
)
UNKNOWN = "unknown"
MOST_CHARS = 200_000
"""Longer texts are read up to here."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What began it: its class without the module. `frame` is the user's innermost one."""

    type: str
    message: str
    frame: str | None = None  # "score.py:11 in run"
    outer_type: str | None = None  # what was caught outside, where that is another exception


@dataclass(frozen=True, slots=True)
class _Block:
    """One exception of a chain: the lines of its frames, the lines of its name and message."""

    frames: list[str]
    raised: list[str]


def innermost(text: str) -> Cause:
    """The exception that began the chain; of type `unknown` where the text holds none, or was cut before its name.

    >>> innermost('Traceback (most recent call last):\\n  File "/app/score.py", line 3, in run\\nValueError: bad row')
    Cause(type='ValueError', message='bad row', frame='score.py:3 in run', outer_type=None)
    """
    chain = _chain(_lines(text))
    if not chain:
        return Cause(UNKNOWN, "")
    kind, message = _raised(chain[0].raised)
    outer = _raised(chain[-1].raised)[0] if len(chain) > 1 else None
    frame = next((found for block in chain if (found := _user_frame(block.frames))), None)
    return Cause(kind or UNKNOWN, message, frame, outer)


def _lines(text: str) -> list[str]:
    """The lines of the text; where it has none but `\\n` written out, those."""
    text = text[:MOST_CHARS]
    if "\n" not in text and "\\n" in text:
        text = text.replace("\\r", "").replace("\\n", "\n").replace('\\"', '"')
    return text.replace("\r\n", "\n").split("\n")


def _chain(lines: list[str]) -> list[_Block]:
    """The exceptions in the order of their printing."""
    found: list[_Block] = []
    for part in _parts(lines):
        block = _block(part, is_whole=bool(found))
        if block is not None:
            found.append(block)
    return found


def _parts(lines: list[str]) -> Iterator[list[str]]:
    """The lines between the sentences that connect two exceptions of one chain."""
    part: list[str] = []
    inside = False  # members of a group have chains of their own
    for number, line in enumerate(lines):
        inside = inside or _MEMBER.match(line) is not None
        if _bare(line) in _CONNECTORS and not (inside and line.lstrip().startswith("|")) and _goes_on(lines, number):
            yield part
            part, inside = [], False
        else:
            part.append(line)
    yield part


def _goes_on(lines: list[str], number: int) -> bool:
    """A traceback or an exception follows the connecting sentence, as it does unless the sentence is in a message."""
    following = next((line for line in lines[number + 1 : number + 4] if _bare(line)), "")
    bare = _bare(following)
    return _HEADER.search(bare) is not None or _RAISED.match(bare) is not None


def _bare(line: str) -> str:
    return _MARGIN.sub("", line, count=1).strip() if line.lstrip().startswith(("|", "+")) else line.strip()


def _block(lines: list[str], *, is_whole: bool) -> _Block | None:
    """One exception. What stands before its header is not read, unless frames there show that the header was cut."""
    start = next((number for number, line in enumerate(lines) if _HEADER.search(line)), None)
    cut = next((number for number, line in enumerate(lines[:start]) if _FRAME.match(line)), None)
    if cut is not None:
        return _split(lines[cut:], "")
    if start is not None:
        return _split(lines[start + 1 :], _margin_of(lines[start]))
    bare = [line for line in lines if line.strip()]
    if bare and (is_whole or len(lines) > 1 or _RAISED.match(bare[0])) and _looks_raised(bare[0]):
        return _split(lines[lines.index(bare[0]) :], "")
    return None


def _looks_raised(line: str) -> bool:
    """An exception without a traceback is taken for one when its name says so: `ValueError: x`, `app.BadRow`."""
    found = _RAISED.match(line)
    return found is not None and _NAMED.search(found["type"]) is not None


def _margin_of(header: str) -> str:
    """What stands before every line of this traceback: an indentation, or the bar of an exception group."""
    lead = header[: header.index("Exception Group" if "Exception Group Traceback" in header else "Traceback")]
    if lead.strip() in ("|", "+"):
        return lead.replace("+", "|")
    return "" if lead.strip() else lead


def _split(lines: list[str], margin: str) -> _Block:
    """Frames up to the first line that is not indented, then name and message, up to a group's members."""
    is_group = bool(margin.strip()) or any(_GROUP.search(line) for line in lines)
    members = next((number for number, line in enumerate(lines) if is_group and _MEMBER.match(line)), len(lines))
    own = [_without(margin, line) for line in lines[:members]]
    first = next((number for number, line in enumerate(own) if line and not line[0].isspace()), len(own))
    return _Block(own[:first], own[first:])


def _without(margin: str, line: str) -> str:
    if line.startswith(margin):
        return line[len(margin) :]
    return "" if line.strip() == margin.strip() else line


def _raised(lines: list[str]) -> tuple[str | None, str]:
    """Name and message of the exception; (None, "") where the text ends before it."""
    whole = "\n".join(lines).rstrip()
    found = _RAISED.match(whole)
    if found is not None:
        return found["type"].rpartition(".")[2], found["message"] or ""
    head, colon, rest = whole.partition(": ")
    return (head, rest.strip()) if colon and "\n" not in head else (None, whole)


def _user_frame(lines: list[str]) -> str | None:
    """`score.py:11 in run` of the last frame that belongs to no library; None where there is none."""
    for line in reversed(lines):
        found = _FRAME.match(line)
        if found and not _NOT_THE_USERS.search(found["path"]):
            name = re.split(r"[\\/]", found["path"])[-1]
            function = f" in {found['function']}" if found["function"] else ""
            return f"{name}:{found['line']}{function}"
    return None
