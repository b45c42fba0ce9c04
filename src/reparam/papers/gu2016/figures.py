"""The paper's tables beside ours, and bounds along training at equal evaluations."""

from __future__ import annotations

from matplotlib.figure import Figure as Canvas

from reparam.papers.gu2016.tables import TABLE2, TABLE3
from reparam.report.figures import Figure, PaperData
from reparam.report.panels import curves, tables

PREDICTION = {"structured-layers2": "two layers", "structured-layers3": "three layers"}
NETWORKS = {
    "sbn-layers1": "SBN, one layer",
    "sbn-layers2": "SBN, two layers",
    "sbn-layers3": "SBN, three layers",
    "categorical": "choices among ten",
}


def table2(data: PaperData) -> Canvas | None:
    return tables(data, "bound_100/test", TABLE2, {title: {name: ""} for name, title in PREDICTION.items()})


def table3(data: PaperData) -> Canvas | None:
    return tables(data, "elbo/test", TABLE3, {title: {name: ""} for name, title in NETWORKS.items()})


def along(data: PaperData) -> Canvas | None:
    titles = {name: f"prediction, {title}" for name, title in PREDICTION.items()} | NETWORKS
    return curves(data, "elbo/test", titles)


FIGURES = [
    Figure(
        "table2",
        "Table 2, structured prediction, beside ours",
        "Negative bounds of 100 samples on test data, mean over seeds with a 95 % interval; open circles: the paper's, "
        "on MNIST. nvil is the paper's LR-C-VN-IDB.",
        table2,
        ("structured-*",),
    ),
    Figure(
        "table3",
        "Table 3, variational auto-encoders, beside ours",
        "Negative one-sample bounds of test data, mean over seeds with a 95 % interval; open circles: the paper's.",
        table3,
        ("sbn-*", "categorical"),
    ),
    Figure(
        "along",
        "Bounds along training",
        "Test bounds against evaluations of f, of which MuProp takes two a step; mean over seeds with a 95 % band.",
        along,
        ("structured-*", "sbn-*", "categorical"),
    ),
]
