"""docs/estimators.md is what the cards say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from reparam import estimators
from reparam.estimators.summary import summaries

ROOT = Path(__file__).resolve().parent.parent


def test_the_page_of_estimators_is_up_to_date() -> None:
    """When it is not: make docs."""
    spec = importlib.util.spec_from_file_location("estimator_docs", ROOT / "tools" / "estimator_docs.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.FILE.read_text(encoding="utf-8") == tool.page()
    sections = re.findall(r"^## (\w+)$", tool.page(), re.MULTILINE)
    assert sections == [name for name in estimators.names() if _is_own(name)]


def test_every_option_has_a_meaning() -> None:
    assert [(s.name, o.name) for s in summaries() for o in s.options if not o.meaning] == []


def _is_own(name: str) -> bool:
    return estimators.get(name).__module__.startswith("reparam.")
