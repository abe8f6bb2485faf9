"""A drawn figure as SVG that stands inside a page: no styles, no script, no date, its own ids, readable aloud.

Styles become presentation attributes, so that the drawing keeps its looks where a content security policy forbids
inline styles. The ink becomes `currentColor` and each series a class with a fallback colour, so that dark pages and
paper can recolour it. The same figure gives the same bytes.
"""

from __future__ import annotations

import re
from io import StringIO
from xml.etree import ElementTree as ET

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK = "#101418"  # drawn in this colour, shown in the colour of the text around the figure
SVG = "http://www.w3.org/2000/svg"
XLINK = "{http://www.w3.org/1999/xlink}href"
NO_TURN = ("rotate(-0 ", "rotate(0 ")
DROPPED_STYLES = frozenset({"font-family", "font", "font-variant", "font-stretch"})
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_BLANK = re.compile(r"\s+")
_FINER = re.compile(r"(\.\d\d)\d+")  # than a hundredth of a CSS pixel


def svg_of(figure: Figure, *, key: str, title: str, description: str, classes: dict[str, str]) -> Markup:
    """The figure as an `<svg>` element; ids start with `key`, `classes` names the colours a page may change."""
    root = ET.fromstring(_drawn(figure, key))  # noqa: S314 - drawn by us a line above
    for element in list(root):
        if element.tag in (f"{{{SVG}}}metadata",) or _is_style(element):
            root.remove(element)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        _plain(element, key, classes)
    _dressed(root, key, title, description)
    ET.indent(root, space="")
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - the serializer escapes every text in it


def _drawn(figure: Figure, key: str) -> str:
    text = StringIO()
    with rc_context({"svg.hashsalt": key, "svg.fonttype": "none", "text.parse_math": False}):
        FigureCanvasSVG(figure).print_svg(text, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return text.getvalue()


def _is_style(element: ET.Element) -> bool:
    return element.tag == f"{{{SVG}}}defs" and len(element) == 1 and element[0].tag == f"{{{SVG}}}style"


def _plain(element: ET.Element, key: str, classes: dict[str, str]) -> None:
    """Styles to attributes, ids to our own, ink to currentColor, series colours to classes."""
    for declaration in element.attrib.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name and name not in DROPPED_STYLES:
            element.set(name, value)
    if element.get("transform", "").startswith(NO_TURN):
        del element.attrib["transform"]
    if XLINK in element.attrib:
        element.set("href", element.attrib.pop(XLINK))
    named = set()
    for name, value in list(element.attrib.items()):
        if name == "id":
            element.set(name, f"{key}-{value}")
        elif value.startswith("#") and name == "href":
            element.set(name, f"#{key}-{value[1:]}")
        elif name in ("fill", "stroke"):
            element.set(name, "currentColor" if value == INK else _REFERENCE.sub(rf"url(#{key}-\1)", value))
            if value in classes:
                named.add(f"{name}-{classes[value]}")
        elif name == "d":
            element.set(name, _FINER.sub(r"\1", _BLANK.sub(" ", value).strip()))
        elif name in ("x", "y"):
            element.set(name, _FINER.sub(r"\1", value))
        else:
            element.set(name, _REFERENCE.sub(rf"url(#{key}-\1)", value))
    if named:
        element.set("class", " ".join(sorted(named)))


def _dressed(root: ET.Element, key: str, title: str, description: str) -> None:
    """The outer element: its role, its name, its size as a fallback where no style sheet is loaded."""
    width, height = root.attrib["viewBox"].split()[2:]
    view_box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update(
        {
            "xmlns": SVG,
            "viewBox": view_box,
            "width": f"{float(width):.0f}",
            "height": f"{float(height):.0f}",
            "role": "img",
            "aria-labelledby": f"{key}-title {key}-desc",
            "stroke-linejoin": "round",
        }
    )
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(tag, {"id": f"{key}-{tag}"})
        element.text = text
        root.insert(position, element)
