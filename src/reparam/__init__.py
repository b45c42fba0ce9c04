"""Stochastic gradient estimators: a reproducible benchmark and paper-replication suite.

Laws and estimators are imported from here on first use, so that `import reparam` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reparam.distributions import Bernoulli, Law, Normal
    from reparam.estimators.exact import Exact
    from reparam.estimators.pathwise import Pathwise
    from reparam.estimators.score_function import ScoreFunction

_HOMES = {
    "Bernoulli": "distributions",
    "Law": "distributions",
    "Normal": "distributions",
    "Exact": "estimators.exact",
    "Pathwise": "estimators.pathwise",
    "ScoreFunction": "estimators.score_function",
}
__all__ = ["Bernoulli", "Exact", "Law", "Normal", "Pathwise", "ScoreFunction"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'reparam' has no attribute {name!r}")
    return getattr(importlib.import_module(f"reparam.{_HOMES[name]}"), name)
