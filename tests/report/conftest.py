from pathlib import Path

import fabricate
import pytest

from reparam.report.build import build


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `results/`, the demo paper and `reports/quick/` made from them."""
    root = tmp_path_factory.mktemp("project")
    fabricate.write_results(root / "results")
    paper = fabricate.write_paper(root / fabricate.PAPER)
    build(fabricate.SCALE, root / "results", root / "reports", [(fabricate.PAPER, paper)])
    return root


@pytest.fixture(scope="session")
def page(project: Path) -> Path:
    return project / "reports" / fabricate.SCALE / "index.html"
