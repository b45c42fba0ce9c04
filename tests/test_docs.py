"""docs/estimators.md is what the cards say, docs/distributions.md what the laws are."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import torch

from reparam import estimators
from reparam.estimators.laws import laws
from reparam.estimators.summary import summaries

ROOT = Path(__file__).resolve().parent.parent


def loaded(name: str) -> Any:
    """A script of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    sys.modules[name] = tool
    spec.loader.exec_module(tool)
    return tool


def test_the_page_of_estimators_is_up_to_date() -> None:
    """When it is not: make docs."""
    tool = loaded("estimator_docs")
    assert tool.FILE.read_text(encoding="utf-8") == tool.page()
    sections = re.findall(r"^## (\w+)$", tool.page(), re.MULTILINE)
    assert sections == [name for name in estimators.names() if _is_own(name)]


def test_the_gallery_shows_every_law() -> None:
    """When it does not: add the law to SETTINGS of tools/law_docs.py, and make docs."""
    tool = loaded("law_docs")
    assert set(tool.SETTINGS) == set(laws())
    assert tool.FILE.read_text(encoding="utf-8") == tool.page()
    assert {file.stem for file in tool.PICTURES.iterdir()} == set(laws())


def test_a_picture_s_gradient_is_the_law_s() -> None:
    """Exponential(λ): dz/dλ = −z/λ; the samples of the picture have the law's mean within 5 standard errors."""
    tool = loaded("law_docs")
    z, slopes = tool.samples(tool.SETTINGS["Exponential"], "Exponential")
    torch.testing.assert_close(slopes["rate"], -z / 1.5)
    assert abs(z.mean().item() - 1 / 1.5) < 5 / 1.5 / len(z) ** 0.5
    figure = tool.picture("Exponential")
    (line,) = [entry for entry in figure.axes[1].lines if entry.get_label() == "rate"]
    assert abs(line.get_ydata() + line.get_xdata() / 1.5).max() < 1e-9


def test_every_option_has_a_meaning() -> None:
    assert [(s.name, o.name) for s in summaries() for o in s.options if not o.meaning] == []


def _is_own(name: str) -> bool:
    return estimators.get(name).__module__.startswith("reparam.")
