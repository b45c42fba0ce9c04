"""Numbers of the run, for the text in a picture."""

from __future__ import annotations

import numpy as np

from reparam.report.figures import PaperData


def number(data: PaperData, metric: str, experiment: str, estimator: str, step: int | None = None) -> float:
    """The mean over seeds of a metric at a step (the last one); NaN where there is none."""
    frame = data.series(metric, experiment=experiment, estimator=estimator)
    if frame.empty:
        return float("nan")
    return float(frame.loc[frame["step"] == (frame["step"].max() if step is None else step), "value"].mean())


def rounded(value: float) -> str:
    """Two digits, and no exponent below a million; — for none."""
    if not np.isfinite(value):
        return "—"
    return f"{float(f'{value:.2g}'):,.6g}".replace(",", "\u202f")
