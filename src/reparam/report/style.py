"""The one visual language of all figures: colours, type, bands over seeds, pictures.

Everything that would be black is drawn in `INK`; the page replaces `INK` by the colour of its own text, so
that a figure reads on a light and on a dark page alike.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.layout_engine import ConstrainedLayoutEngine
from scipy import stats

INK = "#20242b"

# Okabe and Ito's colour-blind safe hues, moved in lightness until each has a contrast of at least 3 with the
# light and with the dark page (tests/report/test_style.py computes it).
PALETTE = ("#0a7cc4", "#d2601a", "#12926a", "#b8679a", "#9a7d0a", "#7a6fd0", "#c2454f", "#7d8288")
DASHES: tuple[Any, ...] = (
    "solid",
    (0, (5, 2)),
    (0, (1.5, 1.5)),
    (0, (6, 2, 1.5, 2)),
    (0, (6, 2, 1.5, 2, 1.5, 2)),
)

# (colour, dash) of the labels that the papers use most; a label that is not here hashes to a pair. Those of one
# experiment differ in colour, but for kin (`score_function_loo_4`), which differ in dash.
STYLES = {
    "pathwise": (0, 0),
    "score_function": (1, 0),
    "score_function_moving_average": (4, 1),
    "score_function_average": (4, 1),
    "score_function_loo": (6, 3),
    "wake_sleep": (2, 1),
    "mcem": (3, 3),
    "exact": (7, 2),
    "score_function_mean": (7, 1),
    "arm": (4, 4),
    "disarm": (5, 0),
    "muprop": (4, 3),
    "double_control_variates": (4, 0),
    "rebar": (0, 1),
    "rebar_fixed": (4, 2),
    "relax": (2, 0),
    "concrete": (3, 1),
    "straight_through": (6, 2),
    "half": (2, 4),
    "reinmax": (3, 0),
    "st_gumbel_softmax": (3, 2),
    "gumbel_rao_10": (5, 2),
    "gumbel_rao_100": (0, 3),
    "gumbel_rao_1000": (6, 0),
    "nvil": (7, 0),
    "simple_muprop": (1, 3),
    "rebar_0.1": (2, 2),
    "rebar_0.5": (2, 3),
    "rebar_site": (0, 4),
    "disarm_4": (1, 1),
    "score_function_loo_4": (6, 1),
    "measure_valued": (5, 1),
    "measure_valued_independent": (5, 3),
    "vargrad": (7, 3),
    "annealed_straight_through": (0, 2),
    "rodeo_3": (6, 4),
    "a2c": (3, 4),
    "rsvi": (7, 4),
    "muprop_c_idb": (5, 4),
    "normalise_only": (1, 4),
}


# Words of labels, as papers write them.
WRITTEN = {
    "a2c": "A2C",
    "arm": "ARM",
    "ciwae": "CIWAE",
    "disarm": "DisARM",
    "dreg": "DReG",
    "grep": "G-REP",
    "gumbel": "Gumbel",
    "iwae": "IWAE",
    "jvi": "JVI",
    "lax": "LAX",
    "loo": "leave-one-out",
    "mcem": "MCEM",
    "miwae": "MIWAE",
    "muprop": "MuProp",
    "nvil": "NVIL",
    "piwae": "PIWAE",
    "rao": "Rao",
    "rebar": "REBAR",
    "reinmax": "ReinMax",
    "relax": "RELAX",
    "rodeo": "RODEO",
    "rsvi": "RSVI",
    "rws": "RWS",
    "st": "straight-through",
    "stl": "STL",
    "vae": "VAE",
    "vargrad": "VarGrad",
    "vimco": "VIMCO",
}


def line_style(estimator: str) -> dict[str, Any]:
    """Colour and dash of an estimator's label: the same in every figure, whoever else is in it."""
    if estimator in STYLES:
        colour, dash = STYLES[estimator]
    else:
        digest = hashlib.sha256(estimator.encode()).digest()
        colour, dash = digest[0] % len(PALETTE), digest[1] % len(DASHES)
    return {"color": PALETTE[colour], "linestyle": DASHES[dash]}


def curves(known: Mapping[str, tuple[str, str]], present: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Name and colour of every estimator that is present: first the known, as a figure wants them.

    The others have their own colours, or those that are left where these are taken.
    """
    found = set(present)
    shown = {name: look for name, look in known.items() if name in found}
    for name in sorted(found - known.keys()):
        taken = {colour for _, colour in shown.values()}
        own = line_style(name)["color"]
        shown[name] = readable(name), next((c for c in (own, *PALETTE) if c not in taken), own)
    return shown


def readable(name: str) -> str:
    """`wake_sleep` as a reader would write it, `wake sleep`; `rebar_0.1` is `REBAR 0.1`."""
    return " ".join(WRITTEN.get(word, word) for word in name.split("_"))


@contextmanager
def theme() -> Iterator[None]:
    """Seaborn's white grid with the project's ink, sizes and transparent background."""
    ink = {
        key: INK
        for key in (
            "text.color",
            "axes.labelcolor",
            "axes.edgecolor",
            "xtick.color",
            "ytick.color",
            "grid.color",
        )
    }
    own = {
        "axes.facecolor": "none",
        "axes.prop_cycle": cycler(color=PALETTE),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.linewidth": 0.8,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 10,
        "figure.facecolor": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 10,
        "grid.alpha": 0.13,
        "grid.linewidth": 0.8,
        "image.cmap": "gray",
        "legend.fontsize": 9.5,
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        "lines.linewidth": 1.9,
        "savefig.facecolor": "none",
        "svg.fonttype": "none",
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
    }
    with mpl.rc_context():
        sns.set_theme(context="notebook", style="whitegrid", rc=ink | own)
        yield


def canvas(
    rows: int = 1, columns: int = 1, *, width: float = 4.4, height: float = 3.8, **kwargs: Any
) -> tuple[Canvas, np.ndarray]:
    """A figure of `rows` × `columns` panels of `width` × `height` inches, and its axes as an array [rows,
    columns]."""
    engine = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    figure = Canvas(figsize=(width * columns, height * rows), layout=engine)
    return figure, figure.subplots(rows, columns, squeeze=False, **kwargs)


def label(ax: Axes, *, x: str, y: str, x_unit: str = "", y_unit: str = "", title: str = "") -> None:
    """Name both axes with their units, and the panel."""
    ax.set_xlabel(f"{x} ({x_unit})" if x_unit else x)
    ax.set_ylabel(f"{y} ({y_unit})" if y_unit else y)
    if title:
        ax.set_title(title)


def interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean and Student's t interval over seeds; one seed has no interval (NaN)."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, np.nan, np.nan
    half = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1) * stats.sem(values))
    return mean, mean - half, mean + half


def spread(ax: Axes, at: int, values: np.ndarray, *, colour: str, text: str = "") -> None:
    """The mean of values over seeds with its 95 % interval, along the row `at` of `row_names`; `text`, in which {}
    stands for the mean, is written above it."""
    mean, low, high = interval(values)
    style: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 5, "capsize": 3}
    ax.errorbar(mean, at, xerr=[[mean - low], [high - mean]], **style)
    if text:
        write(ax, mean, at, text)


def write(ax: Axes, value: float, at: int, text: str) -> None:
    """`text`, in which {} stands for the value, above a point of a row."""
    place: dict[str, Any] = {"xytext": (0, 5), "textcoords": "offset points", "ha": "center", "fontsize": 8}
    ax.annotate(text.format(value), (value, at), **place)


def row_names(ax: Axes, names: Sequence[str]) -> None:
    """A row for each name, the first on top."""
    ax.set_yticks(range(len(names)), labels=names)
    ax.set_ylim(len(names) - 0.5, -0.7)


def band(
    ax: Axes,
    frame: pd.DataFrame,
    x: str,
    y: str,
    *,
    estimator: str,
    name: str | None = None,
    geometric: bool = False,
    **line: Any,
) -> None:
    """Mean over seeds with its 95 % t band.

    `frame` has the columns `seed`, `x` and `y`. Where every seed has a value on the axis the line is full and
    has its band. Where some are gone (diverged or failed: NaN, ∞, or no more rows), the others' mean goes on
    thin and without a band, a cross marks each lost seed's last value, and the legend counts them.
    `geometric` (for a logarithmic axis) takes mean and interval of the logarithms. Where some values lie below
    the axis (−∞, or with `geometric` not positive) there is no such mean: the median of all goes on thin, a
    triangle on the panel's floor marks each such x, and the legend counts the seeds.
    """
    style = line_style(estimator) | line
    seeds, end = int(frame["seed"].nunique()), frame[x].max()
    frame = frame[~(frame[y].isna() | (frame[y] == np.inf))]
    under = frame[y] <= 0 if geometric else frame[y] == -np.inf
    forth, back = (np.log, np.exp) if geometric else (np.positive, np.positive)
    frame = frame.assign(under=under, scaled=forth(frame[y].mask(under, 1.0)).mask(under, -np.inf))
    ends = frame.sort_values(x).groupby("seed").tail(1)
    lost, below = ends[ends[x] < end], frame[frame["under"]]
    gone = seeds - len(ends) + len(lost)
    rows = [(at, len(part), *back(_centre(part["scaled"].to_numpy(float)))) for at, part in frame.groupby(x)]
    curve = pd.DataFrame(rows, columns=["x", "seeds", "mean", "low", "high"], dtype=float)
    whole = (curve["seeds"] == seeds) & ~curve["x"].isin(below[x])
    text = name or readable(estimator)
    text += f" ({gone} of {seeds} ended early)" if gone else ""
    text += f" ({below['seed'].nunique()} of {seeds} fall below the axis)" if len(below) else ""
    ax.plot(curve["x"], curve["mean"].where(whole), label=text, **style)
    edges = curve["low"].where(whole), curve["high"].where(whole)
    ax.fill_between(curve["x"], *edges, color=style["color"], alpha=0.2, linewidth=0)
    if not whole.all():
        ax.plot(curve["x"], curve["mean"].mask(whole), **style | {"linewidth": 0.9})
    if gone:
        seen = lost[~lost["under"]]
        ax.plot(seen[x], seen[y], "x", color=style["color"], markersize=7, markeredgewidth=1.8)
    if len(below):
        places = sorted(below[x].unique())
        floor = ax.get_xaxis_transform()
        ax.plot(places, [0.02] * len(places), "v", color=style["color"], markersize=5, transform=floor)


def _centre(values: np.ndarray) -> tuple[float, float, float]:
    """Mean and interval; the median alone, NaN for −∞, where some are −∞."""
    if np.isfinite(values).all():
        return interval(values)
    median = float(np.median(values))
    return (median if np.isfinite(median) else np.nan), np.nan, np.nan


def legend(ax: Axes, columns: int = 2) -> None:
    """A legend below the panel, where it covers no data; none where there are no results to name yet."""
    if not ax.get_legend_handles_labels()[0]:
        return
    ax.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.21), ncols=columns, columnspacing=1.4)


def published(ax: Axes, x: Sequence[float], y: Sequence[float], *, estimator: str, name: str) -> None:
    """Points read from a paper's own figure: open circles in the estimator's colour, never a line."""
    colour = line_style(estimator)["color"]
    ax.plot(x, y, "o", markerfacecolor="none", markeredgecolor=colour, markersize=5.5, label=name)


def pictures(ax: Axes, images: np.ndarray, columns: int) -> None:
    """A sheet of pictures [count, height, width] with values in [0, 1], row by row, `columns` to a row.

    One empty pixel keeps neighbours apart.
    """
    count, height, width = images.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for index, image in enumerate(images):
        top, left = (
            number * (size + 1) for number, size in zip(divmod(index, columns), image.shape, strict=True)
        )
        sheet[top : top + height, left : left + width] = image
    ax.imshow(sheet, vmin=0, vmax=1, interpolation="none")
    ax.set_axis_off()
