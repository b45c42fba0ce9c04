"""The cell: experiment × estimator × scale, named by the hash of its spec."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCALES = ("smoke", "quick", "standard", "paper")


def canonical(spec: Any) -> str:
    """The one JSON text of a spec: sorted keys, no spaces, no NaN."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


@dataclass(frozen=True)
class Cell:
    """One unit of work; its seeds are trained side by side and are not part of its spec."""

    scale: str
    paper: str
    experiment: str
    estimator: str
    spec: dict[str, Any] = field(hash=False)
    seeds: tuple[int, ...]

    @property
    def spec_hash(self) -> str:
        """SHA-256 of the canonical spec, 64 hex digits."""
        return hashlib.sha256(canonical(self.spec).encode()).hexdigest()

    @property
    def cell(self) -> str:
        """The first 8 hex digits of the spec's hash."""
        return self.spec_hash[:8]

    @property
    def path(self) -> Path:
        """`<paper>/<experiment>/<estimator>/<hash8>`, below `results/<scale>/`."""
        return Path(self.paper, self.experiment, self.estimator, self.cell)
