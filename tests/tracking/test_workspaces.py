"""Workspaces are built without a server and say which runs and metrics they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import wandb
from wandb_workspaces.workspaces import internal

from reparam.errors import ReparamError
from reparam.tracking.workspaces import paper_workspaces, save_workspaces

METRICS = {
    "fig2": ["samples_seen", "elbo/test", "elbo/train", "gradient/variance"],
    "oracle": ["error/largest"],
}


def test_one_workspace_per_experiment_with_a_section_per_family() -> None:
    fig2, oracle = paper_workspaces("someone", "reparam", "kingma2014", METRICS)
    assert [fig2.name, oracle.name] == ["kingma2014 fig2", "kingma2014 oracle"]
    assert [section.name for section in fig2.sections] == ["elbo", "gradient"]
    assert [panel.title for panel in fig2.sections[0].panels] == ["elbo/test", "elbo/train"]
    assert [panel.x for panel in fig2.sections[0].panels] == ["samples_seen", "samples_seen"]
    assert oracle.sections[0].panels[0].x == "Step"


def test_what_would_be_sent_selects_the_runs_and_groups_them() -> None:
    view = paper_workspaces("someone", "reparam", "kingma2014", METRICS)[0]._to_model()
    runs = view.spec.section.run_sets[0].model_dump(by_alias=True)
    chosen = {rule["key"]["name"]: rule["value"] for rule in runs["filters"]["filters"]}
    assert chosen == {"paper": "kingma2014", "experiment": "fig2"}
    assert [key["name"] for key in runs["grouping"]] == ["estimator.value"]


def test_saving_sends_one_view_per_experiment(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def upsert(view: Any) -> dict[str, Any]:
        sent.append(view)
        return {"upsertView": {"view": {"name": "nw-abc-v", "id": "id"}}}

    monkeypatch.setattr(internal, "upsert_view2", upsert)
    monkeypatch.setattr("wandb_workspaces.workspaces.interface.get_app_url", lambda api: "https://wandb.test")
    monkeypatch.setattr(wandb, "Api", lambda: None)
    (address,) = save_workspaces("someone/reparam", "quick", results)
    assert address.startswith("https://wandb.test/someone/reparam")
    assert [view.display_name for view in sent] == ["kingma2014 fig2"]


def test_saving_without_an_account_is_one_line(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(view: Any) -> None:
        raise wandb.errors.UsageError("No API key configured.\nUse `wandb login`.")

    monkeypatch.setattr(internal, "upsert_view2", refuse)
    with pytest.raises(ReparamError, match=r"^W&B refused .*: No API key configured. Use `wandb login`.$"):
        save_workspaces("someone/reparam", "quick", results)


@pytest.mark.parametrize("target", ["someone", "/reparam", "someone/", "a/b/c"])
def test_a_target_of_another_form_is_refused(results: Path, target: str) -> None:
    with pytest.raises(ReparamError, match="give it as ENTITY/PROJECT"):
        save_workspaces(target, "quick", results)
