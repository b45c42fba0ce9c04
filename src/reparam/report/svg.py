"""From a matplotlib figure to markup that can stand in a page beside others, and to files for a paper."""

import base64
import io
import re
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from reparam.report.style import INK

# A vector figure larger than this (very many points) goes into the page as a picture.
LARGEST_VECTOR = 250_000
_PLACES = {"d", "x", "y"}
_DIGITS = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FONTS = {"font-family: 'DejaVu Sans'", "font-family: 'DejaVu Sans', sans-serif"}
"""What matplotlib calls the figures' font; the page has its own."""
_NO_TURN = re.compile(r"rotate\(-?0 [^)]*\)")

_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
_XLINK = "{http://www.w3.org/1999/xlink}href"


def as_svg(figure: Canvas, salt: str, fonttype: str = "none") -> bytes:
    """A standalone SVG; the same figure and salt give the same bytes."""
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": salt, "svg.fonttype": fonttype}):
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    return buffer.getvalue()


def as_png(figure: Canvas, dpi: int = 150) -> bytes:
    """A picture on white; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def inline(figure: Canvas, prefix: str, label: str) -> tuple[str, str]:
    """Markup of a figure for the page: `("svg", markup)`, or `("png", data URI)` when the vectors are too
    many.

    `label` is what a screen reader says. Ids get `prefix`, so that several figures share a page; ink
    becomes the page's text colour.
    """
    source = as_svg(figure, prefix)
    if len(source) > LARGEST_VECTOR:
        return "png", "data:image/png;base64," + base64.b64encode(as_png(figure)).decode()
    return "svg", page_svg(source, prefix, label)


def page_svg(source: bytes, prefix: str, label: str) -> str:
    """Rewrite a standalone SVG for use inside an HTML page: no namespaces, no style sheet, the page's ink, ids only
    where something refers to them, and nothing that says what holds anyway (groups of nothing, turns by no angle)."""
    root = ElementTree.fromstring(source)
    for parent in list(root.iter()):
        for child in list(parent):
            # matplotlib's style sheet would reach the whole page; the root gets it as a style instead
            if child.tag.endswith("}style") or child.tag.endswith("}metadata"):
                parent.remove(child)
    used = {name for e in root.iter() for value in e.attrib.values() for name in _REFERENCE.findall(value)}
    used |= {e.get(_XLINK, "")[1:] for e in root.iter() if e.get(_XLINK, "").startswith("#")}
    names = {name: f"{prefix}-{number}" for number, name in enumerate(sorted(used))}
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        if len(element) or element.tag not in {"text", "tspan"}:  # blanks between elements are indentation
            element.text = (element.text or "").strip()
            for child in element:
                child.tail = (child.tail or "").strip()
        attributes = {
            ("href" if key == _XLINK else key.rpartition("}")[2]): value
            for key, value in element.attrib.items()
        }
        element.attrib.clear()
        for key, value in attributes.items():
            if (small := _for_page(key, value, names)) is not None:
                element.set(key, small)
    _open(root)
    width = root.get("width", "100%")
    root.set(
        "style", f"stroke-linejoin:round;stroke-linecap:butt;font-family:system-ui,sans-serif;width:{width}"
    )
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("aria-label", label)
    return ElementTree.tostring(root, encoding="unicode")


def _open(parent: ElementTree.Element) -> None:
    """Put what groups without attributes hold in their place."""
    children: list[ElementTree.Element] = []
    for child in parent:
        _open(child)
        children.extend(child if child.tag == "g" and not child.attrib else [child])
    parent[:] = children


def _for_page(key: str, value: str, names: dict[str, str]) -> str | None:
    """An attribute's value in the page; None for one that says nothing."""
    if key in _PLACES:  # a hundredth of a point is enough on a page
        rounded = _DIGITS.sub(lambda number: f"{float(number.group()):.2f}", value)
        return re.sub(r"\s*([A-Za-z])\s*", r"\1", rounded).strip()
    if key == "id":
        return names.get(value)
    if key == "transform" and _NO_TURN.fullmatch(value):
        return None
    if key == "href":
        return f"#{names[value[1:]]}" if value.startswith("#") else re.sub(r"\s", "", value)
    value = _REFERENCE.sub(lambda found: f"url(#{names[found.group(1)]})", value)
    if key == "style":
        entries = [entry.strip() for entry in value.split(";")]
        value = ";".join(entry.replace(": ", ":") for entry in entries if entry and entry not in _FONTS)
    return value.replace(INK, "currentColor")
