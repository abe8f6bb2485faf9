"""KQL as text: where its literals and comments end, what it names, and one function that the local engine lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*)
      | (?P<literal>```.*?```|~~~.*?~~~|[hH]?@"(?:[^"]|"")*"|[hH]?@'(?:[^']|'')*'
          |[hH]?"(?:\\.|[^"\\\n])*"|[hH]?'(?:\\.|[^'\\\n])*')
      | (?P<name>[A-Za-z_$][\w$]*)
      | (?P<other>\s+|.)""",
    re.VERBOSE | re.DOTALL,
)
_INGESTION = re.compile(r"\bingestion_time\s*\(\s*\)")
_RENDER = re.compile(r"\|\s*render\s+([a-z]+)", re.IGNORECASE)


def parts(kql: str) -> Iterator[tuple[str, str]]:
    """Kind (`comment`, `literal`, `name`, `other`) and text of each part; together they are the whole query."""
    for match in _TOKEN.finditer(kql):
        yield match.lastgroup or "other", match.group()


def names_in(kql: str) -> set[str]:
    """Every identifier of the query, and each text in brackets, which may be one: `['name']`."""
    found = set()
    for kind, text in parts(kql):
        if kind == "name":
            found.add(text)
        elif kind == "literal":
            found.add(text.strip("@hH\"'"))
    return found


def with_ingestion_column(kql: str, column: str) -> str:
    """The query with `ingestion_time()` replaced by a column, outside literals and comments.

    >>> with_ingestion_column("t | where x == 'ingestion_time()' and ingestion_time( ) > ago(1h)", "c")
    "t | where x == 'ingestion_time()' and ['c'] > ago(1h)"
    """
    pieces: list[str] = []
    code = ""
    for kind, text in parts(kql):
        if kind in ("comment", "literal"):
            pieces += [_INGESTION.sub(f"['{column}']", code), text]
            code = ""
        else:
            code += text
    return "".join([*pieces, _INGESTION.sub(f"['{column}']", code)])


def rendering(kql: str) -> str | None:
    """What the query asks to be drawn as, or None.

    >>> rendering("requests | count | render timechart"), rendering("requests | where name == '| render pie'")
    ('timechart', None)
    """
    match = _RENDER.search("".join(text for kind, text in parts(kql) if kind not in ("comment", "literal")))
    return match[1].lower() if match else None


def position(kql: str, name: str) -> tuple[int, int] | None:
    """Line and column, from 1, of the first identifier of this name; None when it is not in the text."""
    offset = 0
    for kind, text in parts(kql):
        if (kind == "name" and text == name) or (kind == "literal" and text.strip("@hH\"'") == name):
            return kql.count("\n", 0, offset) + 1, offset - (kql.rfind("\n", 0, offset) + 1) + 1
        offset += len(text)
    return None


def is_command(kql: str) -> bool:
    """True for control commands, which begin with a dot.

    >>> is_command("// a word\\n .drop table requests"), is_command("requests | take 1")
    (True, False)
    """
    for kind, text in parts(kql):
        if kind != "comment" and not text.isspace():
            return text == "."
    return False
