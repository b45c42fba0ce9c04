"""A paper's README as part of the page."""

import re

from markdown_it import MarkdownIt
from markupsafe import Markup

_TITLE = re.compile(r"^#\s+(.+?)\s*$", re.MULTILINE)
_SHIFT = 2  # the page's own headings come above


def split_title(text: str, otherwise: str) -> tuple[str, str]:
    """The first level-one heading, and the text without it."""
    found = _TITLE.search(text)
    if not found:
        return otherwise, text
    return found.group(1), text[: found.start()] + text[found.end() :]


def to_html(text: str) -> Markup:
    """CommonMark with tables. HTML in the text is shown as text, pictures are left out, and a link that leads neither
    to the web nor into the page (the README's neighbours are not beside the page) stays as its words."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "html_block", "html_inline"])
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1:]) + _SHIFT)}"
        for child in token.children or []:
            if child.type == "link_open":
                if str(child.attrs.get("href", "")).startswith(("https://", "http://", "#")):
                    child.attrs["rel"] = "noreferrer"
                else:
                    child.attrs.pop("href", None)
    html = parser.renderer.render(tokens, parser.options, {})
    html = html.replace("<table>", '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>')
    return Markup(html.replace("</table>", "</table></div>"))
