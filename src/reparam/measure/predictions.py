"""What a classifier predicts, and how far its probabilities can be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, register
from reparam.measure.rows import rows
from reparam.noise import draw_block
from reparam.program import Params, Sample

BATCH = 1000
"""Rows that are predicted at once."""
BINS = 15
"""Of confidence, in the calibration error."""
KEPT = 100
"""Points of the curve of accuracy against rejection."""


@register("predictions", optional=("samples", "points", "splits", "kept"))
def predictions(context: Context, options: Mapping[str, Any]) -> Measured:
    """Scores of the predicted classes, of the network with all that is random at its mean and, with `samples` = S,
    of the mean probabilities of S samples of it.

    Other options: `points` (the first rows of each split; null: all), `splits` (default: test only) and `kept`, shares
    of the data, the most confident ones. Metrics, the same with the prefix `sampled_` for S samples: error/<split>
    (% of wrong classes), log_score/<split> (mean log probability of the class, nats per datum),
    calibration_error/<split> (`calibration_error`) and accuracy_of_<share>/<split> (% of right classes among those
    kept). Arrays: accuracy/<split>, in per cent, of the most confident 1 %, 2 %, … 100 %.

    Raises ReparamError for a task that has no `predict`, or no classes.
    """
    task: Any = context.task
    if not hasattr(task, "predict") or task.classes < 2:
        raise ReparamError("predictions needs a task that predicts classes, such as bayesian_network")
    metrics: dict[str, float] = {}
    arrays: dict[str, np.ndarray] = {}
    samples = int(options.get("samples", 0))
    for split in options.get("splits", ["test"]):
        x = rows(context, split, options.get("points"))
        label = x[:, -2].long()
        for prefix, count in {"": 0, "sampled_": samples}.items():
            if samples or not prefix:
                log_p = log_probabilities(task, context.params, x, count, (*context.axes, split))
                scored = scores(log_p, label, options.get("kept", ()))
                metrics |= {f"{prefix}{name}/{split}": value for name, value in scored.items()}
                arrays[f"{prefix}accuracy/{split}"] = accuracy_by_confidence(log_p, label)
    return Measured(metrics, arrays)


def log_probabilities(
    task: Any, params: Params, x: Tensor, samples: int, axes: tuple[str | int, ...]
) -> Tensor:
    """Log of the mean probabilities of so many samples of a classifier, or with 0 of that at its mean: [rows, classes],
    in double precision."""
    parts = x.split(BATCH)
    found = [
        sampled_outputs(task, params, part, samples, (*axes, i)).double().log_softmax(-1).logsumexp(0)
        for i, part in enumerate(parts)
    ]
    return torch.cat(found) - math.log(max(samples, 1))


def sampled_outputs(
    task: Any, params: Params, x: Tensor, samples: int, axes: tuple[str | int, ...]
) -> Tensor:
    """Outputs for rows x of so many samples of a network, or with 0 of that at its mean: [samples or 1, rows, O]."""
    if not samples:
        return task.predict(params, x).unsqueeze(0)  # type: ignore[no-any-return]
    return torch.stack([task.predict(params, x, _drawing((*axes, i), x.device)) for i in range(samples)])


def _drawing(axes: tuple[str | int, ...], device: torch.device) -> Sample:
    """A `sample` that draws from streams of these axes."""

    def sample(name: str, law: Any, context: Any = None, observed: Tensor | None = None) -> Tensor:
        noise = draw_block({name: law.noise()}, axes, 1, device)[name]
        return law.path({role: draws[0] for role, draws in noise.items()})  # type: ignore[no-any-return]

    return sample


def scores(log_p: Tensor, label: Tensor, kept: Iterable[float]) -> dict[str, float]:
    """error, log_score, calibration_error and accuracy_of_<share> of log probabilities [rows, classes]."""
    curve = accuracy_by_confidence(log_p, label, tuple(kept))
    right = log_p.argmax(-1) == label
    return {
        "error": 100 * (~right).double().mean().item(),
        "log_score": log_p.gather(1, label[:, None]).mean().item(),
        "calibration_error": calibration_error(log_p.amax(-1).exp(), right),
        **{f"accuracy_of_{share}": value for share, value in zip(kept, curve.tolist(), strict=True)},
    }


def calibration_error(confidence: Tensor, right: Tensor) -> float:
    """Σ_bins n_bin / N |share of right ones − mean confidence|, in per cent, over BINS equal bins of [0, 1] (Guo et al.
    2017, Eq. 3). Both [rows]."""
    bins = (confidence * BINS).long().clamp_max(BINS - 1)
    excess = torch.zeros(BINS, dtype=torch.float64, device=bins.device)
    excess = excess.index_add(0, bins, right.double() - confidence.double())
    return 100 * (excess.abs().sum() / len(bins)).item()


def accuracy_by_confidence(log_p: Tensor, label: Tensor, kept: Iterable[float] | None = None) -> np.ndarray:
    """Per cent of right classes among these shares of the rows, the most confident ones; by default every per cent."""
    order = log_p.amax(-1).argsort(descending=True, stable=True)
    right = (log_p.argmax(-1) == label)[order].double().cumsum(0)
    shares = np.arange(1, KEPT + 1) / KEPT if kept is None else np.array(list(kept), dtype=float)
    exact = (shares * len(label)).round(6)  # 0.07 · 300 is a little more than 21 in binary
    counts = np.ceil(exact).clip(1).astype(int)
    return np.asarray(100 * right[torch.as_tensor(counts - 1)].cpu().numpy() / counts)
