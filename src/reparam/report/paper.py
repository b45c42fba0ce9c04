"""A paper's folder as the report reads it: README, claims, figures and advice."""

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from reparam.evidence.claims import Claim, load_claims
from reparam.report.advice import Chart, read_advice
from reparam.report.figures import Figure, load_figures
from reparam.report.markdown import split_title, to_html


@dataclass(frozen=True)
class Paper:
    """`claims` are those of claims.yaml, in the paper's order."""

    key: str
    title: str
    protocol: Markup
    claims: tuple[Claim, ...]
    figures: list[Figure]
    advice: Chart | None


def read_paper(key: str, folder: Path) -> Paper:
    """Read what the folder holds; each of its files may be missing. Raises ReparamError for one that is
    wrong."""
    readme, claims = folder / "README.md", folder / "claims.yaml"
    title, text = split_title(readme.read_text(encoding="utf-8") if readme.is_file() else "", key)
    stated = load_claims(claims, key) if claims.is_file() else ()
    return Paper(key, title, to_html(text), stated, load_figures(folder), read_advice(key, folder))
