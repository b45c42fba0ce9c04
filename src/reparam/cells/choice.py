"""A grid within a cell: every candidate is trained once, and all seeds take the options of the best one.

```yaml
training:
  choose: {over: {training.optimiser.rate: [1.0e-4, 3.0e-4, 1.0e-3]}, largest: elbo/valid}
```

The candidates share a seed of their own, which no result is reported of, so that the choice does not flatter what it
is judged by. A candidate that diverges, or whose reading is NaN, is beaten by any other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from reparam.cells.files import read_json, write_json
from reparam.cells.status import FORMAT, CellKey
from reparam.cells.train import Outcome
from reparam.errors import ReparamError
from reparam.registry import nearest

SEED = 2**30
"""A multiple of every stack's height, far from the seeds of experiments."""
Train = Callable[[Mapping[str, Any], Path], Outcome]
"""(spec, checkpoint file) → what became of the seed `SEED`."""


def candidates(spec: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(options by path, spec with these options and no choice left) for every point of the grid.

    Raises ReparamError for a path that leads to nothing in the spec.
    """
    over = spec["training"]["choose"]["over"]
    for point in itertools.product(*over.values()):
        options, own = dict(zip(over, point, strict=True)), deepcopy(dict(spec))
        del own["training"]["choose"]
        for path, value in options.items():
            _set(own, path, value)
        yield options, own


def resolve(key: CellKey, folder: Path, work: Path, train: Train) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The options that were chosen, and the spec with them that the cell's seeds are trained by.

    Without a choice to make: none, and the cell's own spec. What became of every candidate is written to `choice.json`
    in the cell's folder, and read from there when it is of this spec and source; candidates that an interrupted run
    finished are kept in `work`.
    """
    if "choose" not in key.spec["training"]:
        return {}, key.spec
    specs = list(candidates(key.spec))
    record = read_json(folder / "choice.json")
    made_of = {"format": FORMAT, "spec": key.spec_hash, "source": key.source}
    if not _is_made_of(record, made_of):
        tried = []
        for number, (options, spec) in enumerate(specs):
            file = work / f"candidate-{number}.json"
            found = read_json(file)
            if not _is_made_of(found, made_of):
                outcome = train(spec, work / f"candidate-{number}.pt")
                result = {"options": options, "diverged": outcome.diverged, "readings": _last(outcome)}
                found = {**made_of, "result": result}
                write_json(file, found)
            tried.append(found["result"])
        record = {**made_of, "candidates": tried, "chosen": best(tried, key.spec["training"]["choose"])}
        write_json(folder / "choice.json", record)
    return specs[record["chosen"]]


def _is_made_of(record: Any, made_of: Mapping[str, Any]) -> bool:
    return isinstance(record, dict) and all(record.get(name) == value for name, value in made_of.items())


def best(tried: list[dict[str, Any]], choose: Mapping[str, Any]) -> int:
    """The number of the candidate with the largest, or smallest, last reading; the first among equals.

    Raises ReparamError when no candidate measured that metric.
    """
    (order,) = choose.keys() & {"largest", "smallest"}
    sign, metric = (1.0 if order == "largest" else -1.0), choose[order]
    known = {name for found in tried for name in found["readings"]}
    if metric not in known and not all(found["diverged"] is not None for found in tried):
        raise ReparamError(f"training.choose: nothing measures {metric!r}{nearest(metric, known)}")

    def score(number: int) -> float:
        reading = tried[number]["readings"].get(metric)
        lost = tried[number]["diverged"] is not None or reading is None
        return -math.inf if lost else sign * reading

    return max(range(len(tried)), key=score)


def _last(outcome: Outcome) -> dict[str, float | None]:
    """The last reading of every metric; None for NaN, which is no JSON."""
    return {metric: value if math.isfinite(value) else None for _, metric, value in outcome.rows}


def _set(spec: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    here: Any = spec
    for name in parents:
        here = here.get(name) if isinstance(here, dict) else None
    if not isinstance(here, dict) or not parents:
        raise ReparamError(
            f"training.choose: no such option: {path!r}; give a path such as training.optimiser.rate, "
            "task.hidden or method.options.temperature"
        )
    here[last] = value
