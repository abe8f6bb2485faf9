"""The shape of a value in JSON or Python notation, whole or cut: names and types, no values.

Names of fields stay where they look like names; all else is counted. The reader never fails and takes linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MAX_DEPTH = 24
_MAX_NAMES = 32
_CLOSES = {"{": "}", "[": "]", "(": ")"}
_PIECE = re.compile(
    r"(?P<space>(?:\s|\\[nrt])++)"
    r"|(?P<text>[bBuUrR]?(?:\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?))"
    r"|(?P<sign>[\[\]{}():,])"
    r"|(?P<number>[-+]?(?:\d++(?:\.\d*+)?+(?:[eE][-+]?\d++)?|\.\d++)(?![\w.:-]))"
    r"|(?P<word>(?:[^\s\[\]{}():,\"'\\]|\\(?![nrt]))++|\\)",
    re.ASCII,
)
_ESCAPED = re.compile(r"[\[{(]\s{0,8}(?:[\[{(]\s{0,8})*(?P<escape>\\{1,3})[\"']")
_WORDS = {"true": "bool", "false": "bool", "null": "null", "none": "null", "nan": "float", "inf": "float"}
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,39}(?: [\w.-]{1,20}){0,3}", re.ASCII)
_SHAPE_PIECE = re.compile(
    r"(?:int|float|str|bool|null|mixed|deeper|other|\d+ more)(?![\w.])|list\[\d+\+?\](?: of )?"
    r"|[A-Za-z_][\w.-]{0,39}(?: [\w.-]{1,20}){0,3}: |[{}]|, ",
    re.ASCII,
)


def end_of_shape(text: str, at: int) -> int | None:
    """Where the shape ends that stands at `at` already; None where something else stands there."""
    depth = 0
    while found := _SHAPE_PIECE.match(text, at):
        depth += (found.group() == "{") - (found.group() == "}")
        at = found.end()
        if depth == 0 and not found.group().endswith((" of ", ": ", ", ")):
            return at
    return None


def shape_at(text: str, at: int) -> tuple[str, int]:
    """The shape of the value that begins at `at`, and where it ends."""
    escaped = _ESCAPED.match(text, at)
    if escaped:
        end = _end_of_line(text, at)
        return shape_at(text[at:end].replace(escaped["escape"], ""), 0)[0], end
    reader = _Reader(text, at)
    shape = reader.value(0)
    if shape[:1] in "{l":
        return shape, reader.at
    end = _end_of_line(text, at)
    return shape if not text[reader.at : end].strip() else "str", end


def _end_of_line(text: str, at: int) -> int:
    found = re.compile(r"\n|\r").search(text, at)
    return found.start() if found else len(text)


@dataclass(slots=True)
class _Reader:
    """A text read value by value; `at` is where the next piece begins."""

    text: str
    at: int

    def value(self, depth: int) -> str:
        """The shape of the next value."""
        kind, piece = self._take()
        if kind == "sign" and piece in _CLOSES:
            return self._skipped() if depth >= _MAX_DEPTH else self._group(piece, depth)
        if kind == "text":
            return _shape_in_quotes(piece)
        if kind == "number":
            return "int" if piece.lstrip("+-").isdigit() else "float"
        if kind == "word" and self._next() == "(" and depth < _MAX_DEPTH:
            return self.value(depth + 1)
        return _WORDS.get(piece.lower(), "str")

    def _group(self, opening: str, depth: int) -> str:
        names: dict[str, str] = {}
        items: dict[str, None] = {}
        count, is_object = 0, opening == "{"
        while self._next() not in ("", _CLOSES[opening]):
            if self._next() in (",", ":", "]", "}", ")"):
                self._take()
                continue
            begins = self.at
            shape = self.value(depth + 1)
            if is_object and self._next() == ":":
                name = _name(self.text[begins : self.at])
                self._take()
                shape = self.value(depth + 1)
                names[name] = shape if names.get(name, shape) == shape else "mixed"
            count += 1
            items[shape] = None
        is_cut = self._take()[1] == ""
        return _object(names) if names or is_object else _list(count, list(items), is_cut=is_cut)

    def _skipped(self) -> str:
        """All that is nested too deep to be told, to its end."""
        open_ = 1
        while open_ and (piece := self._take()[1]):
            open_ += (piece in _CLOSES) - (piece in _CLOSES.values())
        return "deeper"

    def _next(self) -> str:
        """The next sign, "x" for anything else, "" at the end; it is not taken."""
        found = self._piece()
        return "" if found is None else found["sign"] or "x"

    def _take(self) -> tuple[str, str]:
        found = self._piece()
        if found is None:
            return "", ""
        self.at = found.end()
        return found.lastgroup or "", found.group()

    def _piece(self) -> re.Match[str] | None:
        while (found := _PIECE.match(self.text, self.at)) and found["space"]:
            self.at = found.end()
        return found


def _shape_in_quotes(piece: str) -> str:
    """Of a text that holds a payload, that payload's shape."""
    inner = piece.lstrip("bBuUrR")[1:]
    if inner.lstrip()[:1] not in ("{", "["):
        return "str"
    return _Reader(re.sub(r"\\([\"'\\])", r"\1", inner.rstrip(inner[-1:] if inner[-1:] in "\"'" else "")), 0).value(1)


def _name(text: str) -> str:
    name = text.strip().strip(",").strip().strip("\"'")
    return name if _NAME.fullmatch(name) else "other"


def _object(names: dict[str, str]) -> str:
    told = [f"{name}: {shape}" for name, shape in list(names.items())[:_MAX_NAMES]]
    more = [f"{len(names) - _MAX_NAMES} more"] if len(names) > _MAX_NAMES else []
    return "{" + ", ".join((*told, *more)) + "}"


def _list(count: int, shapes: list[str], *, is_cut: bool) -> str:
    """`list[3] of int`; `+` after the count of a list that was cut."""
    size = f"list[{count}{'+' if is_cut else ''}]"
    if not shapes:
        return size
    if "null" in shapes and len(shapes) > 1:
        shapes.remove("null")
    if len(shapes) > 1:  # a whole number among others is one of them
        shapes = sorted({re.sub(r"\bint\b", "float", shape) for shape in shapes})
    return f"{size} of {shapes[0] if len(shapes) == 1 else 'mixed'}"
