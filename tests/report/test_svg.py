import re
from xml.etree import ElementTree

import numpy as np
import pytest

from reparam.report import style, svg


@pytest.fixture
def figure():
    with style.theme():
        canvas, axes = style.canvas()
        style.label(axes[0, 0], x="samples", y="bound", y_unit="nats")
        axes[0, 0].plot([0, 1], [0, 1], "o", label="<b>line</b>")
        axes[0, 0].legend()
        style.pictures(axes[0, 0].inset_axes([0, 0, 0.3, 0.3]), np.zeros((4, 3, 3)), columns=2)
        yield canvas


def test_two_copies_share_no_id_and_every_reference_resolves(figure) -> None:
    roots = [ElementTree.fromstring(svg.inline(figure, prefix, "x")[1]) for prefix in ("a", "b")]
    ids = [[e.get("id") for e in root.iter() if e.get("id")] for root in roots]
    assert ids[0] and not set(ids[0]) & set(ids[1])
    for root, own in zip(roots, ids, strict=True):
        links = [e.get("href") for e in root.iter() if (e.get("href") or "").startswith("#")]
        clips = [e.get("clip-path") for e in root.iter() if e.get("clip-path")]
        assert links and clips
        assert {link[1:] for link in links} | {clip[5:-1] for clip in clips} == set(own)


def test_ink_follows_the_page_and_pictures_are_inside(figure) -> None:
    kind, markup = svg.inline(figure, "p", 'A "title"')
    assert kind == "svg"
    assert style.INK not in markup and "currentColor" in markup
    assert "http" not in markup and "<style" not in markup
    assert 'href="data:image/png;base64,' in markup
    assert 'role="img" aria-label="A &quot;title&quot;"' in markup
    assert "&lt;b&gt;line" in markup


def test_the_page_has_the_same_picture_to_a_hundredth_of_a_point_and_no_indentation(figure) -> None:
    source = svg.as_svg(figure, "p")
    whole, small = ElementTree.fromstring(source), ElementTree.fromstring(svg.page_svg(source, "p", "x"))

    def places(root: ElementTree.Element) -> list[float]:
        found = [element.get(key, "") for key in ("d", "x", "y") for element in root.iter()]
        return [float(number) for text in found for number in re.findall(r"-?\d+\.?\d*", text)]

    exact, rounded = np.array(places(whole)), np.array(places(small))
    assert len(exact) > 50 and np.abs(exact - rounded).max() <= 0.005 + 1e-9
    assert (exact != rounded).any() and not re.search(
        r">\s+<", ElementTree.tostring(small, encoding="unicode")
    )
    assert "samples" in {text for element in small.iter() for text in element.itertext()}


def test_the_page_draws_as_many_marks_and_words_in_less_than_two_thirds_of_the_bytes(figure) -> None:
    source = svg.as_svg(figure, "p")
    small = svg.page_svg(source, "p", "x")
    whole, kept = ElementTree.fromstring(source), ElementTree.fromstring(small)

    def marks(root: ElementTree.Element) -> list[str]:
        drawn = {"path", "text", "use", "image", "rect"}
        return [tag for e in root.iter() if (tag := e.tag.rpartition("}")[2]) in drawn]

    assert marks(kept) == marks(whole)
    assert all(e.attrib for e in kept.iter("g"))
    assert len(small) < 2 / 3 * len(source)


def test_files_are_deterministic(figure) -> None:
    assert svg.as_svg(figure, "s") == svg.as_svg(figure, "s")
    assert svg.as_png(figure) == svg.as_png(figure)
    assert b"<dc:date" not in svg.as_svg(figure, "s")


def test_very_many_points_become_a_picture(figure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg, "LARGEST_VECTOR", 100)
    kind, uri = svg.inline(figure, "p", "x")
    assert kind == "png" and uri.startswith("data:image/png;base64,")
