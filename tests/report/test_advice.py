"""Advice from a paper's folder: the verdicts it rests on, and what is wrong with a file in one line."""

import re
from pathlib import Path

import pytest
from markup import Markup, parse

from reparam import estimators
from reparam.errors import ReparamError
from reparam.evidence.claims import load_claims
from reparam.plan import experiments
from reparam.report.advice import read_advice


@pytest.fixture(scope="module")
def section(page: Path) -> Markup:
    html = page.read_text(encoding="utf-8")
    return parse(html.split('<section id="advice-demo2014"')[1].split("</section>")[0])


def test_comes_before_the_scoreboard_and_in_the_navigation(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert html.index('href="#advice-demo2014"') < html.index(">Scoreboard</a>")
    assert html.index('<section id="advice-demo2014"') < html.index('<section id="scoreboard"')


def test_evidence_has_its_verdict_and_links_to_the_claim(section: Markup) -> None:
    text = re.sub(r"\s+", " ", section.text)
    assert "holds (reduced) It wins in every panel. DEMO-2 (demo2014)" in text
    assert "#claim-demo2014-DEMO-2" in [a.get("href") for a in section.all("a")]


def test_claim_that_the_page_does_not_have_is_not_run_and_no_link(section: Markup) -> None:
    text = re.sub(r"\s+", " ", section.text)
    assert "not run Nobody ran this. NB-1 (nobody2020)" in text
    assert not any("nobody2020" in str(a.get("href")) for a in section.all("a"))


def test_only_estimators_of_the_library_are_links(section: Markup) -> None:
    links = [a.get("href") for a in section.all("a")]
    assert "#estimator-pathwise" in links and "#estimator-no_such_estimator" not in links
    assert "no_such_estimator" in section.text


def test_words_stay_words(section: Markup) -> None:
    assert "<script>alert(4)</script>" in section.text and not section.all("script")
    assert "`" not in section.text


def test_folder_without_advice_gives_none(tmp_path: Path) -> None:
    assert read_advice("any", tmp_path) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("title: A\ntext: B\nadvice: []\n", "advice.*non-empty"),
        (
            "title: A\nadvice: [{when: a, advice: b, evidence: [{claim: c/d, says: e}]}]\n",
            "'text' is a required",
        ),
        (
            "title: A\ntext: B\nadvice: [{when: a, advice: b, evidence: [{claim: c, says: e}]}]\n",
            "claim.*match",
        ),
        (
            "title: A\ntext: B\nadvice: [{when: a, advise: b, evidence: [{claim: c/d, says: e}]}]\n",
            "advise|advice",
        ),
        ("title: [", "advice.yaml"),
    ],
)
def test_wrong_file_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "advice.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ReparamError, match=complaint) as caught:
        read_advice("any", tmp_path)
    assert str(tmp_path / "advice.yaml") in str(caught.value) and "\n" not in str(caught.value)


def test_our_advice_names_estimators_and_claims_that_exist() -> None:
    for paper in experiments.papers():
        chart = read_advice(paper, experiments.PAPERS / paper)
        for answer in chart.answers if chart else ():
            assert set(answer.estimators) <= set(estimators.names()), answer.when
            for found in answer.evidence:
                assert found.paper in experiments.papers(), found
                claims = load_claims(experiments.PAPERS / found.paper / "claims.yaml", found.paper)
                assert found.claim in [claim.id for claim in claims], found
