"""Saved W&B views of a paper: one workspace per experiment, its runs grouped by estimator.

A W&B panel cannot choose its own runs, so an experiment is a view of its own, not a section. Its
sections are the families of metrics (the part of a metric's name before the slash).
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from reparam.errors import ReparamError
from reparam.tracking.export import exported_metrics

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

AXIS = "samples_seen"


def paper_workspaces(entity: str, project: str, paper: str, metrics: dict[str, list[str]]) -> list[Workspace]:
    """One workspace per experiment of `paper`; `metrics` are the metric names of each experiment.

    Curves are means over seeds with the range of the seeds behind them, against samples seen where the
    experiment counts samples, else against the step.
    """
    return [_workspace(entity, project, paper, name, sorted(metrics[name])) for name in sorted(metrics)]


def save_workspaces(target: str, scale: str, results: Path) -> list[str]:
    """Save the workspaces of every paper exported at `scale` to W&B's ENTITY/PROJECT; return their addresses.

    Needs an account. Saving again adds new views beside the old ones. Raises ReparamError when
    `target` is not of that form or W&B refuses.
    """
    import wandb

    entity, slash, project = target.partition("/")
    if not (entity and slash and project) or "/" in project:
        raise ReparamError(f"--workspaces is {target!r}: give it as ENTITY/PROJECT")

    saved = []
    for paper, metrics in exported_metrics(results / scale).items():
        for workspace in paper_workspaces(entity, project, paper, metrics):
            try:
                saved.append(workspace.save().url)
            except (wandb.Error, ValueError) as error:
                reason = " ".join(str(error).split())
                raise ReparamError(f"W&B refused the workspace {workspace.name!r}: {reason}") from error
    return saved


def _workspace(entity: str, project: str, paper: str, experiment: str, metrics: list[str]) -> Workspace:
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws
    from wandb_workspaces import expr

    axis = AXIS if AXIS in metrics else "Step"
    shown = [metric for metric in metrics if metric != AXIS]
    sections = [
        ws.Section(
            name=family,
            is_open=True,
            panels=[
                wr.LinePlot(
                    title=metric, x=axis, y=[metric], groupby_aggfunc="mean", groupby_rangefunc="minmax"
                )
                for metric in members
            ],
        )
        for family, members in groupby(shown, key=lambda metric: metric.split("/")[0])
    ]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"{paper} {experiment}",
        sections=sections,
        settings=ws.WorkspaceSettings(x_axis=axis, max_runs=100),
        runset_settings=ws.RunsetSettings(
            filters=expr.And(expr.Config("paper") == paper, expr.Config("experiment") == experiment),
            groupby=[expr.Config("estimator")],
        ),
    )
