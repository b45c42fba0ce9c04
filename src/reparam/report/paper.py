"""A paper's folder as the report reads it: README, claims and figures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup

from reparam.report.figures import Figure, load_figures
from reparam.report.markdown import split_title, to_html


@dataclass(frozen=True)
class Paper:
    """`claims` are the entries of claims.yaml by id, in the paper's order."""

    key: str
    title: str
    protocol: Markup
    claims: dict[str, dict[str, Any]]
    figures: list[Figure]


def read_paper(key: str, folder: Path) -> Paper:
    """Read what the folder holds; each of its files may be missing."""
    readme, claims = folder / "README.md", folder / "claims.yaml"
    title, text = split_title(readme.read_text(encoding="utf-8") if readme.is_file() else "", key)
    entries = (yaml.safe_load(claims.read_text(encoding="utf-8")) or {}) if claims.is_file() else {}
    by_id = {entry["id"]: entry for entry in entries.get("claims") or []}
    return Paper(key, title, to_html(text), by_id, load_figures(folder))
