"""Markdown as part of the page: a paper's README, and code in a sentence."""

import re

from markdown_it import MarkdownIt
from markupsafe import Markup

_TITLE = re.compile(r"^#\s+(.+?)\s*$", re.MULTILINE)
_OPEN = ("https://", "http://", "#")
_SHIFT = 2  # the page's own headings come above


def split_title(text: str, otherwise: str) -> tuple[str, str]:
    """The first level-one heading, and the text without it."""
    found = _TITLE.search(text)
    if not found:
        return otherwise, text
    return found.group(1), text[: found.start()] + text[found.end() :]


def to_html(text: str) -> Markup:
    """CommonMark with tables. HTML in the text is shown as text, a picture becomes its description, and a
    link that leads neither to the web nor into the page (the README's neighbours are not beside it) stays
    as its words."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1:]) + _SHIFT)}"
        for child in token.children or []:
            if child.type == "image":
                child.type, child.tag = "text", ""
            elif child.type == "link_open" and not str(child.attrs.get("href", "")).startswith(_OPEN):
                child.attrs.pop("href", None)
    html = parser.renderer.render(tokens, parser.options, {})
    html = html.replace("<table>", '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>')
    return Markup(html.replace("</table>", "</table></div>"))


def with_code(text: str) -> Markup:
    """A sentence whose `backticks` become code; the rest is shown as it is."""
    return Markup(MarkdownIt("zero").enable("backticks").renderInline(text))
