"""Lines of a named method, and who else trains what it trains."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from reparam.report.figures import band, readable

OWN = ("pathwise", "backpropagation")
PUBLISHED = {"linestyle": "none", "marker": "o", "fillstyle": "none", "markersize": 4}


def called(method: str, estimator: str) -> str:
    """What a line is called: the method, and the estimator where it is not the paper's."""
    return method if estimator in OWN else f"{method}, {readable(estimator)}"


def lines(ax: Axes, frame: pd.DataFrame, table: dict[str, tuple[str, str]], x: str, **style: Any) -> None:
    """A line for each entry {network: (method, colour)} of the table and, dotted, for whoever else has its experiment;
    `frame` has the column network."""
    for network, (method, colour) in table.items():
        rows = frame[frame["network"] == network]
        for estimator in rows["estimator"].unique():
            own = rows[rows["estimator"] == estimator]
            dash = "solid" if estimator in OWN else ":"
            drawn = {"color": colour, "linestyle": dash, **style}
            band(ax, own, x, "value", estimator=estimator, name=called(method, estimator), **drawn)


def by_rate(frame: pd.DataFrame, stated: float) -> pd.DataFrame:
    """With the columns network, the experiment without its rate, and rate: `stated` where its name has none."""
    rate = frame["experiment"].str.extract(r"-rate([\d.]+(?:e-\d+)?)", expand=False)
    network = frame["experiment"].str.replace(r"-rate[\d.]+(?:e-\d+)?", "", regex=True)
    return frame.assign(network=network, rate=rate.astype(float).fillna(stated))
