"""The ledger of rules: which rule digests ever produced a verdict with data in a results tree.

`rules.json` lies beside the tables and travels with them: {"<paper>/<claim>": [digest, …]} in the order
first used. A claim whose rule changed after its first result stays marked, even when the rule changes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from reparam.errors import ReparamError
from reparam.evidence.history import read_json
from reparam.evidence.verdicts import Verdict

Ledger = Mapping[str, tuple[str, ...]]


def read_ledger(path: Path) -> Ledger:
    """The ledger at `path`, empty when there is none. Raises ReparamError when it is not a ledger."""
    if not path.is_file():
        return {}
    record = read_json(path)
    if not all(isinstance(v, list) and v and all(isinstance(d, str) for d in v) for v in record.values()):
        raise ReparamError(
            f"{path}: not a ledger of rule digests; restore it, or delete it to forget rule changes"
        )
    return {key: tuple(digests) for key, digests in record.items()}


def key(verdict: Verdict) -> str:
    return f"{verdict.claim.paper}/{verdict.claim.id}"


def extend(ledger: Ledger, verdicts: Iterable[Verdict]) -> Ledger:
    """The ledger with the digests of every claim that has data now."""
    new = dict(ledger)
    for verdict in verdicts:
        used = new.get(key(verdict), ())
        if verdict.has_data and verdict.claim.digest not in used:
            new[key(verdict)] = (*used, verdict.claim.digest)
    return new


def changed(ledger: Ledger, verdict: Verdict) -> bool:
    """Was the claim's rule changed after it first gave a result?"""
    return len({*ledger.get(key(verdict), ()), verdict.claim.digest}) > 1
