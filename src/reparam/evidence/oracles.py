"""What the checks against exact answers found: the files that come before any training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reparam.cells.files import read_json
from reparam.errors import ReparamError

FIELDS = ("problem", "check", "passed", "z", "power", "tests", "draws", "detail")


def oracle_rows(source: str, root: Path, scale: str) -> Iterator[dict[str, Any]]:
    """The findings under `root/<scale>/oracles/`, by estimator; a field that a finding lacks is empty.

    Raises ReparamError for a file that holds no list of findings.
    """
    for file in sorted((root / scale / "oracles").glob("*.json")):
        kept = read_json(file)
        findings = kept.get("findings") if isinstance(kept, dict) else None
        if not isinstance(findings, list) or not all(isinstance(entry, dict) for entry in findings):
            raise ReparamError(f"{file}: no list of findings; delete it and run the workflow again")
        for finding in findings:
            yield {
                "source": source,
                "scale": scale,
                "estimator": finding.get("estimator", file.stem),
                "options": json.dumps(finding.get("options", {}), sort_keys=True, ensure_ascii=False),
                **{field: finding.get(field) for field in FIELDS},
            }
