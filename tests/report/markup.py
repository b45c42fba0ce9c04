"""A page as a list of its tags, by the standard library's parser."""

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Markup(HTMLParser):
    """`tags` are (name, attributes); `text` is what stands between them, scripts and styles left out."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""
    inside: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.inside not in {"script", "style"}:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def parse(html: str) -> Markup:
    markup = Markup()
    markup.feed(html)
    return markup
