import re
from pathlib import Path

import fabricate
import pandas as pd
import pytest
from markup import Markup, parse

from reparam import estimators
from reparam.errors import OutputError, ReparamError
from reparam.report.build import build

LOADING = {"src", "srcset", "data", "poster", "action", "background", "formaction", "xlink:href"}


@pytest.fixture(scope="module")
def markup(page: Path) -> Markup:
    return parse(page.read_text(encoding="utf-8"))


def rebuild(root: Path, papers: list[tuple[str, Path]]) -> Markup:
    return parse(
        build(fabricate.SCALE, root / "results", root / "reports", papers).read_text(encoding="utf-8")
    )


def test_loads_nothing_from_anywhere(page: Path, markup: Markup) -> None:
    html = page.read_text(encoding="utf-8")
    for tag, attributes in markup.tags:
        assert tag not in {"iframe", "object", "embed", "base"}
        for name, value in attributes.items():
            if name in LOADING or (name == "href" and tag != "a"):
                assert (value or "").startswith(("data:", "#")), (tag, name, value)
    assert not re.search(r"url\(\s*['\"]?(?!#)", html)
    assert "@import" not in html
    policy = next(m["content"] for m in markup.all("meta") if "http-equiv" in m)
    assert policy is not None and policy.startswith("default-src 'none'")


def test_is_small_and_has_no_id_twice(page: Path, markup: Markup) -> None:
    assert page.stat().st_size < 8_000_000
    ids = [attributes["id"] for _, attributes in markup.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in markup.tags:
        for key in ("href", "aria-controls", "aria-labelledby"):
            value = attributes.get(key) or ""
            if key != "href" or value.startswith("#"):
                assert not value or value.removeprefix("#") in ids, (key, value)


def test_hostile_names_are_text(page: Path, markup: Markup) -> None:
    assert len(markup.all("script")) == 1
    assert all("onerror" not in attributes for _, attributes in markup.tags)
    assert "<b>disk" not in page.read_text(encoding="utf-8")
    for text in (fabricate.HOSTILE, fabricate.HOSTILE_IMAGE, "<b>disk</b> full", "<script>alert(3)</script>"):
        assert text in markup.text


@pytest.mark.slow
def test_same_tables_give_the_same_bytes_however_many_are_drawn_at_a_time(
    project: Path, tmp_path: Path
) -> None:
    """And a figure that an earlier page left behind goes."""
    again = tmp_path / "reports"
    old = again / fabricate.SCALE / "figures" / f"{fabricate.PAPER}-old.svg"
    old.parent.mkdir(parents=True)
    old.write_text("")
    papers = [(fabricate.PAPER, project / fabricate.PAPER)]
    build(fabricate.SCALE, project / "results", again, papers, processes=2)
    first = {p.relative_to(project / "reports"): p.read_bytes() for p in (project / "reports").rglob("*.*")}
    second = {p.relative_to(again): p.read_bytes() for p in again.rglob("*.*")}
    assert first == second
    assert {path.suffix for path in first} == {".html", ".svg", ".png"}


@pytest.mark.parametrize(
    "words",
    [
        "holds (reduced)",
        "Nothing to draw yet.",
        "Missing or failed: fullvb / pathwise.",
        "This figure cannot be drawn. KeyError",
        "Measured earlier at standard by the project",
        "The rule was changed after its first result.",
        "The verdict was reached by an earlier rule than this one. Build the evidence again.",
        "2 diverged",
        "seed 4 missing, seed 2 failed",
        "A claim that no table knows yet",
        "purely visual 1",
        "never a target",
        "Seeds: 40 planned, 32 done, 2 diverged, 1 failed, 5 missing",
        "1 folder of other specifications",
        'pd.read_parquet("results/quick/tables/metrics.parquet")',
        f"results/quick/{fabricate.PAPER}/fig2-latent3/pathwise/00000000/",
        "elbo/test of pathwise in fig2-* exceeds elbo/test of wake_sleep by more than 0.1",
    ],
)
def test_says(markup: Markup, words: str) -> None:
    assert words in re.sub(r"\s+", " ", markup.text)


def test_every_paper_s_verdicts_are_counted(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    section = html.split('<section id="papers"')[1].split("</section>")[0]
    ((name, total),) = re.findall(
        r'<a href="#paper-(\w+)">.*?<td class="number">(\d+)</td>', section, re.DOTALL
    )
    assert name == fabricate.PAPER and int(total) == html.count('<tbody class="claim"')
    assert sum(map(int, re.findall(r"<b>(\d+)</b>", section))) == int(total)


def test_shows_every_estimator_s_card(markup: Markup) -> None:
    text, ids = re.sub(r"\s+", " ", markup.text), [attributes.get("id") for _, attributes in markup.tags]
    for name in estimators.names():
        card = estimators.get(name).card
        assert f"estimator-{name}" in ids
        for part in (card.title, card.what, card.formula, card.when, card.paper):
            assert re.sub(r"\s+", " ", part) in text


def test_shows_the_whole_grid_that_an_option_was_chosen_from(page: Path) -> None:
    section = (
        page.read_text(encoding="utf-8").split("<h3>Options chosen by a grid</h3>")[1].split("</table>")[0]
    )
    (row,) = section.split("<tbody>")[1].split("</tr>")[:-1]
    text = re.sub(r"\s+", " ", parse(row).text)
    assert fabricate.HOSTILE in text and "elbo/valid" in text and "objective" not in text
    assert "rate 0.001: −90" in text and "rate 0.01: −80.5 ✓" in text and "rate 0.1: diverged" in text


def test_shows_what_the_oracle_checks_found(page: Path) -> None:
    """Of several settings the largest z and the first one's power; a bias that is admitted is no failure."""
    section = page.read_text(encoding="utf-8").split('<section id="oracles"')[1].split("</section>")[0]
    matrix = section.split("<tbody>")[1].split("</tbody>")[0]
    rows = {}
    for row in matrix.split("</tr>")[:-1]:
        name, *words = re.sub(r"\s+", " ", parse(row.replace("</td>", " </td>")).text).split()
        rows[name] = " ".join(words)
    assert set(rows) == {"exact", "pathwise", "score_function", "straight_through", fabricate.HOSTILE}
    assert rows["exact"].startswith("12 of 13") and "12.0 ✕ failed" in rows["exact"]
    assert rows["straight_through"] == "2 84.2 biased · · ·"
    assert rows["pathwise"] == "6 · · 2.5 61 % 2.5 62 %"
    assert "its mean gradient is 12 standard errors off" in section.split("<h3>Failed</h3>")[1]


def test_only_a_verdict_of_another_rule_is_called_stale(page: Path) -> None:
    rows = re.findall(r'<tbody class="claim".*?</tbody>', page.read_text(encoding="utf-8"), re.S)
    stale = [row for row in rows if "reached by an earlier rule" in row]
    assert len(rows) > 1 and len(stale) == 1 and "DEMO-1" in stale[0]


def test_a_nan_effect_stays_nan(page: Path) -> None:
    rows = re.findall(r'<tbody class="claim".*?</tbody>', page.read_text(encoding="utf-8"), re.S)
    diverged = next(row for row in rows if "DEMO-4" in row)
    assert '<span class="number">NaN</span>' in diverged
    unjudged = next(row for row in rows if "DEMO-8" in row)
    assert "NaN" not in unjudged


def test_counts_a_seed_without_a_finite_value(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    cell = html[html.index("fig2-latent3</b> / score_function<") :]
    row = re.search(r"<code>elbo/test</code>.*?</tr>", cell, re.S)
    assert row is not None and "3 of 5" in row.group()


def test_figures_are_written_as_files(project: Path) -> None:
    folder = project / "reports" / fabricate.SCALE / "figures"
    names = {path.name for path in folder.iterdir()}
    assert {f"{fabricate.PAPER}-bound.svg", f"{fabricate.PAPER}-bound-reference-standard.png"} <= names


@pytest.mark.parametrize("tables", ["none", "empty"])
def test_renders_without_results(tmp_path: Path, tables: str) -> None:
    if tables == "empty":
        fabricate.write_tables(tmp_path / "results", {name: [] for name in fabricate.TABLES})
    paper = fabricate.write_paper(tmp_path / fabricate.PAPER)
    text = re.sub(r"\s+", " ", rebuild(tmp_path, [(fabricate.PAPER, paper)]).text)
    assert ("Missing tables: cells, metrics, claims" in text) == (tables == "none")
    assert "none yet" in text
    assert "No cells." in text and "Nothing to draw yet." in text
    assert "not run" in text and "unjudged" in text and "replicated" not in text.split("How to read")[0]


def test_renders_without_papers(tmp_path: Path) -> None:
    assert "No claims." in rebuild(tmp_path, []).text


def test_a_bare_paper_folder_is_enough(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    text = rebuild(tmp_path, [("bare", tmp_path / "bare")]).text
    assert "This paper has no figures." in text and "This paper states no claims." in text


def test_a_corrupt_table_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "results" / fabricate.SCALE / "tables" / "cells.parquet"
    path.parent.mkdir(parents=True)
    path.write_text("no table")
    with pytest.raises(ReparamError, match=r"cells\.parquet: not a readable table .*delete it"):
        rebuild(tmp_path, [])
    pd.DataFrame({"scale": ["quick"]}).to_parquet(path)
    with pytest.raises(ReparamError, match="another version"):
        rebuild(tmp_path, [])


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file, not a folder")
    with pytest.raises(OutputError, match="cannot be written"):
        rebuild(tmp_path, [])
