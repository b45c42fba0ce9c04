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
    """Rewrite a standalone SVG for use inside an HTML page (no namespaces, unique ids, no style sheet,
    page's ink)."""
    root = ElementTree.fromstring(source)
    for parent in list(root.iter()):
        for child in list(parent):
            # matplotlib's style sheet would reach the whole page; the root gets it as a style instead
            if child.tag.endswith("}style") or child.tag.endswith("}metadata"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        attributes = {
            ("href" if key == _XLINK else key.rpartition("}")[2]): value
            for key, value in element.attrib.items()
        }
        element.attrib.clear()
        if element.tag not in {"text", "tspan"}:  # nothing but indentation between other elements
            element.text = None
            for child in element:
                child.tail = None
        for key, value in attributes.items():
            element.set(key, _for_page(key, value, prefix))
    width = root.get("width", "100%")
    root.set("style", f"stroke-linejoin:round;stroke-linecap:butt;width:{width}")
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("aria-label", label)
    return ElementTree.tostring(root, encoding="unicode")


def _for_page(key: str, value: str, prefix: str) -> str:
    if key in _PLACES:  # a hundredth of a point is enough on a page
        return _DIGITS.sub(lambda number: f"{float(number.group()):.2f}", value)
    if key == "id":
        return f"{prefix}-{value}"
    if key == "href" and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    if key == "href":
        return re.sub(r"\s", "", value)
    value = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", value)
    return value.replace(INK, "currentColor").replace("'DejaVu Sans'", "system-ui")
