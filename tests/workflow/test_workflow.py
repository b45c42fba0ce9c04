"""The workflow: what it would do, what it refuses, and, slowly, the real thing from data to report."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

SMOKE = ("--configfile", "config/smoke.yaml")
NOTHING = "Nothing to be done"


def jobs(output: str) -> dict[str, int]:
    """Jobs by rule, from the table that Snakemake prints."""
    table = output.partition("Job stats:")[2].partition("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


def test_everything_is_planned(project):
    done = project.snakemake("-n", *SMOKE)
    """Five cells, two to a job."""
    steps = {"data": 1, "oracles": 1, "train": 3, "evidence": 1, "report": 1, "wandb": 1, "all": 1}
    assert done.returncode == 0 and jobs(done.stdout) == steps


def test_a_choice_on_the_command_line_limits_what_runs(project):
    done = project.snakemake("-n", *SMOKE, "--config", "estimators=pathwise,wake_sleep", "seeds=1e1")
    assert jobs(done.stdout)["train"] == 2  # three cells


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("estimators=pathwize", "reparam: unknown estimator 'pathwize'; did you mean 'pathwise'?"),
        ("seed=3", "reparam: configuration: unknown key 'seed'; did you mean 'seeds'?"),
        ("seeds=0,0", "reparam: configuration: seeds: seed 0 is given twice"),
    ],
)
def test_a_mistake_is_one_line(project, choice, said):
    done = project.snakemake("-n", *SMOKE, "--config", choice)
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith(("Using", "Config"))]
    assert done.returncode != 0 and lines == [said]


def test_a_claim_on_what_is_not_there_stops_the_run_before_it_trains(project):
    claims = "src/reparam/papers/toy2020/claims.yaml"
    project.edit(claims, "estimator: pathwise", "estimator: pathwize")
    done = project.snakemake("-n", *SMOKE)
    project.edit(claims, "estimator: pathwize", "estimator: pathwise")
    assert done.returncode != 0 and "did you mean 'pathwise'?" in done.stdout.splitlines()[-1]


def test_a_gpu_that_is_not_there_is_refused(project, monkeypatch):
    monkeypatch.setitem(project.environment, "CUDA_VISIBLE_DEVICES", "")
    done = project.snakemake("-n", *SMOKE, "--config", "device=cuda")
    assert done.returncode != 0 and "reparam: device=cuda was asked for, but there is no GPU" in done.stdout


@pytest.mark.slow
def test_a_partial_report_is_not_taken_for_the_end_of_a_run(project):
    """What a failed or interrupted run leaves behind, and what these commands do when given by hand."""
    for step in ("evidence", "report"):
        assert project.run(sys.executable, "-m", "reparam.cli", step, "--scale", "smoke").returncode == 0
    planned = jobs(project.snakemake("-n", *SMOKE).stdout)
    for made in ("results", "reports"):
        shutil.rmtree(project.folder / made)
    assert planned["train"] == 3


@pytest.mark.slow
def test_the_workflow_is_clean_for_snakemakes_linter(project):
    done = project.snakemake("--lint")
    assert done.returncode == 0 and "Congratulations" in done.stdout


@pytest.mark.slow
class TestForReal:
    """One story on one project; each chapter starts from where the last one ended."""

    def test_killing_snakemake_leaves_no_trainer_and_no_lock(self, project):
        project.edit("src/reparam/papers/toy2020/experiments.yaml", "samples: 3000", "samples: 3000000")
        run = subprocess.Popen(
            project.command(*SMOKE), cwd=project.folder, env=project.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        trainers = wait_for(
            lambda: [p for p in psutil.Process(run.pid).children(recursive=True) if is_cell(p)]
        )
        wait_for(lambda: list(project.folder.glob("results/.work/smoke/**/progress.json")))
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        wait_for(lambda: not any(p.is_running() and p.status() != "zombie" for p in trainers), seconds=20)
        assert list((project.folder / ".snakemake" / "locks").iterdir())
        project.edit("src/reparam/papers/toy2020/experiments.yaml", "samples: 3000000", "samples: 3000")

    def test_the_next_call_just_works(self, project):
        done = project.snakemake(*SMOKE)
        assert done.returncode == 0, done.stdout
        assert "cleared the lock of a run that was killed" in done.stdout
        assert len(project.manifests()) == 5
        assert (project.folder / "reports/smoke/index.html").stat().st_size > 1000

    def test_a_second_call_does_nothing_and_says_so(self, project):
        start = time.monotonic()
        done = project.snakemake(*SMOKE)
        assert time.monotonic() - start < 10
        assert NOTHING in done.stdout and not jobs(done.stdout)

    def test_a_cell_removed_by_hand_is_made_again(self, project):
        file = next(f for f in project.manifests() if "wake_sleep" in str(f))
        histories = project.histories()
        shutil.rmtree(file.parent)
        done = project.snakemake(*SMOKE)
        assert done.returncode == 0 and jobs(done.stdout)["train"] == 1, done.stdout
        assert project.histories().keys() == histories.keys()

    def test_a_comment_reruns_nothing_and_code_reruns_what_it_touches(self, project):
        file = "src/reparam/estimators/score_function.py"
        project.edit(file, "from __future__", "# a comment\nfrom __future__")
        assert NOTHING in project.snakemake("-n", *SMOKE).stdout
        project.edit(file, "\nBaseline = ", "\nNEW = 1\nBaseline = ")
        before = project.histories()
        done = project.snakemake(*SMOKE)
        assert done.returncode == 0, done.stdout
        assert jobs(done.stdout)["oracles"] == 1
        after = project.histories()
        again = {path for path in before if after[path] != before[path]}
        assert again == {path for path in before if "score_function_loo" in path} != set()

    def test_more_seeds_train_only_the_new_ones(self, project):
        before = project.histories()
        done = project.snakemake(*SMOKE, "--config", "experiments=asleep", "seeds=3")
        assert done.returncode == 0, done.stdout
        after = project.histories()
        assert len(after) == len(before) + 1
        assert {path: after[path] for path in before} == before

    def test_a_choice_does_not_limit_what_the_report_shows(self, project):
        coverage = (project.folder / "results/smoke/tables/coverage.csv").read_text()
        assert len(coverage.splitlines()) == 1 + 5

    def test_manifests_hold_what_the_contract_says(self, project):
        for file in project.manifests():
            manifest = json.loads(file.read_text())
            assert file.parent.name == manifest["spec_hash"][:8]
            assert {status["status"] for status in manifest["seeds"].values()} == {"ok"}

    def test_snakemakes_own_report_works(self, project):
        done = project.snakemake("--report", "snakemake-report.zip", *SMOKE)
        assert done.returncode == 0, done.stdout
        assert (project.folder / "snakemake-report.zip").stat().st_size > 10_000

    def test_a_failed_cell_fails_the_run_but_not_the_others_nor_the_report(self, project):
        report = project.folder / "reports/smoke/index.html"
        project.edit(
            "src/reparam/papers/toy2020/experiments.yaml", "{wake_sleep: {}}", "{wake_sleep: {bogus: 1}}"
        )
        report.unlink()
        done = project.snakemake(*SMOKE)
        assert done.returncode != 0
        assert "reparam: wake_sleep has no option 'bogus'" in done.stdout
        assert report.exists() and "missing" in report.read_text()


def is_cell(process: psutil.Process) -> bool:
    try:
        return "reparam.cli" in process.cmdline() and "cell" in process.cmdline()
    except psutil.Error:
        return False


def wait_for(condition, seconds: float = 300):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("waited in vain")
