"""A made-up results tree and paper folder, as the contract writes them, with everything that can go wrong
in it.

The numbers are drawn from fixed generators and mean nothing.
"""

import json
import shutil
from pathlib import Path

import numpy as np

from reparam.evidence.claims import load_claims
from reparam.evidence.tables import frame

TABLES = ("cells", "metrics", "claims", "comparisons", "coverage", "choices", "leftover", "oracles")
SCALE = "quick"
PAPER = "demo2014"
HOSTILE = "<script>alert(1)<script>"
HOSTILE_IMAGE = '"><img src=x onerror=alert(2)>'
COMMIT = "0123456789abcdef0123456789abcdef01234567"

STATED = {c.id: c.digest for c in load_claims(Path(__file__).parent / "demo2014" / "claims.yaml", PAPER)}

# (source, scale, experiment, estimator, statuses of its planned seeds)
CELLS = [
    ("run", SCALE, "fig2-latent3", "pathwise", ["ok"] * 5),
    ("run", SCALE, "fig2-latent3", "wake_sleep", ["ok"] * 5),
    ("run", SCALE, "fig2-latent3", "score_function", ["ok", "ok", "diverged", "ok", "diverged"]),
    ("run", SCALE, "fig2-latent10", "pathwise", ["ok"] * 5),
    ("run", SCALE, "fig2-latent10", "wake_sleep", ["ok", "ok", "failed", "ok", "missing"]),
    ("run", SCALE, "gradients", "pathwise", ["ok"] * 3),
    ("run", SCALE, "gradients", "score_function", ["ok"] * 3),
    ("run", SCALE, "gradients", "score_function_loo", ["ok"] * 3),
    ("run", SCALE, "manifold", "pathwise", ["ok"]),
    ("run", SCALE, HOSTILE, HOSTILE_IMAGE, ["ok", "missing"]),
    ("run", SCALE, "fullvb", "pathwise", ["missing"] * 3),
    ("reference", "standard", "fig2-latent3", "pathwise", ["ok"] * 5),
    ("reference", "standard", "fig2-latent3", "wake_sleep", ["ok"] * 5),
]
LEVEL = {"pathwise": -18.0, "wake_sleep": -20.5, "score_function": -24.0}


def write_results(results: Path) -> None:
    """A full tree under `results`: tables, manifests, statuses, pictures."""
    cells, metrics, coverage = [], [], []
    for index, (source, scale, experiment, estimator, statuses) in enumerate(CELLS):
        name = f"{index:08x}"
        where = {"source": source, "scale": scale, "paper": PAPER}
        where |= {"experiment": experiment, "estimator": estimator, "cell": name}
        folder = (
            results
            / ("reference" if source == "reference" else "")
            / scale
            / PAPER
            / experiment
            / estimator
            / name
        )
        ran = [(seed, status) for seed, status in enumerate(statuses) if status != "missing"]
        for seed, status in ran:
            cells.append(where | _status(seed, status))
            history = _history(experiment, estimator, seed, status, np.random.default_rng([index, seed]))
            metrics += [where | {"seed": seed} | row for row in history]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"seed-{seed}.json").write_text("{}")
        if ran:
            spec = {
                "format": 1,
                "paper": PAPER,
                "experiment": experiment,
                "estimator": estimator,
                "task": {"latent": 3},
            }
            manifest = {"format": 1, "spec": spec, "spec_hash": name}
            (folder / "manifest.json").write_text(json.dumps(manifest))
        if experiment == "manifold":
            np.savez(folder / "seed-0.npz", manifold=_digits())
        if source == "run":
            counts = {key: statuses.count(key) for key in ("diverged", "failed", "missing")}
            counts |= {"planned": len(statuses), "done": statuses.count("ok")}
            coverage.append({key: where[key] for key in where if key != "source"} | counts)
    leftover = [
        {"source": "run", "scale": SCALE, "paper": PAPER, "experiment": "fig2-latent3", "estimator": "mcem"}
    ]
    rows = {
        "cells": cells,
        "metrics": metrics,
        "claims": _claims(),
        "comparisons": _comparisons(),
        "coverage": coverage,
        "choices": _choices(),
        "leftover": [leftover[0] | {"cell": "ffffffff"}],
        "oracles": _oracles(),
    }
    write_tables(results, rows)


def _choices() -> list[dict]:
    """Three rates, the best in the middle, one of them diverged; a metric that decides nothing beside it."""
    where = {"source": "run", "scale": SCALE, "paper": PAPER, "experiment": "fig2-latent3"}
    readings = {0.001: -90.0, 0.01: -80.5, 0.1: None}
    return [
        {
            **where,
            "estimator": HOSTILE,
            "cell": "0000000a",
            "candidate": number,
            "options": json.dumps({"training.optimiser.rate": rate}),
            "chosen": rate == 0.01,
            "diverged": 40 if reading is None else None,
            "metric": metric,
            "reading": reading,
            "decides": metric == "elbo/valid",
        }
        for number, (rate, reading) in enumerate(readings.items())
        for metric in ("elbo/valid", "objective")
    ]


def write_tables(results: Path, rows: dict[str, list[dict]]) -> None:
    folder = results / SCALE / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in rows.items():
        frame(name, part).to_parquet(folder / f"{name}.parquet", index=False)


def write_paper(folder: Path) -> Path:
    """The demo paper's folder."""
    shutil.copytree(Path(__file__).parent / "demo2014", folder)
    return folder


def _status(seed: int, status: str) -> dict:
    reason = {"ok": None, "diverged": "the bound is not finite", "failed": "OSError: <b>disk</b> full"}[
        status
    ]
    runtime = {
        "device": "cpu",
        "path": "eager",
        "wall_seconds": 12.5 + seed,
        "version": "0.1.0",
        "commit": COMMIT,
    }
    step = {"ok": 2000, "diverged": 700, "failed": None}[status]
    return {
        "seed": seed,
        "status": status,
        "step": step,
        "reason": reason,
        "dirty": False,
        "torch": "2.11.0",
    } | runtime


def _history(experiment: str, estimator: str, seed: int, status: str, rng: np.random.Generator) -> list[dict]:
    rows = []
    for step in range(0, 2001, 100):
        values = {"samples_seen": 100.0 * max(step, 1)}
        if experiment == "gradients":
            scale = {"pathwise": 1.0, "score_function": 2e4, "score_function_loo": 300.0}[estimator]
            for group in ("encoder", "decoder"):
                noise = np.exp(0.25 * rng.standard_normal())
                values[f"gradient_variance/noise/{group}"] = scale * noise / (1 + step / 400) ** 0.8
        else:
            level = LEVEL.get(estimator, -22.0) - (0 if "latent3" in experiment else -1.5)
            values["elbo/test"] = level - 14 * np.exp(-step / 350) + 0.25 * rng.standard_normal()
            values["elbo/train"] = values["elbo/test"] + 0.6 * step / 2000
        if status == "failed" and step > 300:
            break
        if status == "diverged" and step > 600:
            values = {name: np.nan if name.startswith("elbo") else value for name, value in values.items()}
        rows += [{"step": step, "metric": name, "value": value} for name, value in values.items()]
        if status == "diverged" and step > 600:
            break
    return rows


def _digits() -> np.ndarray:
    """A 12 × 12 sheet of smooth 8 × 8 pictures, [144, 8, 8] in [0, 1]."""
    y, x = np.mgrid[-1:1:8j, -1:1:8j]
    grid = np.linspace(-1, 1, 12)
    rings = [np.exp(-8 * (np.hypot(x * (1 + 0.6 * a), y) - 0.5 - 0.3 * b) ** 2) for b in grid for a in grid]
    return np.stack(rings)


def _claim(claim: str, statement: str, verdict: str, **fields: object) -> dict:
    row = {
        "source": "run",
        "scale": SCALE,
        "paper": PAPER,
        "claim": claim,
        "where": "Fig 2",
        "statement": statement,
    }
    row |= {
        "verdict": verdict,
        "setting": "reduced",
        "kind": "ordering",
        "rule_changed": False,
        "rule_digest": STATED.get(claim, "cd" * 32),
    }
    return row | {"paper_numbers": "[]", "evidence": "[]", "unit": "nats"} | fields


def _claims() -> list[dict]:
    numbers = [
        {
            "what": "Nz 3, AEVB test at 1e8 samples",
            "value": -133.4,
            "unit": "nats",
            "tag": "figure",
            "tolerance": 0.3,
        },
        {
            "what": "Nz 10, AEVB test at 1e8 samples",
            "value": -103.6,
            "unit": "nats",
            "tag": "figure",
            "tolerance": 0.3,
        },
        {"what": "as a survey quotes it", "value": -130.0, "unit": "nats", "tag": "second-hand"},
    ]
    used = [f"{SCALE}/{PAPER}/fig2-latent3/pathwise/00000000", f"{SCALE}/{PAPER}/gone/pathwise/12345678"]
    replicated = {"effect": 2.51, "low": 2.2, "high": 2.82, "seeds": 5, "estimate": 2.51, "estimate_low": 2.2}
    tested = {"p_value": 0.0004, "p_adjusted": 0.002, "estimate_high": 2.82, "evidence": json.dumps(used)}
    return [
        _claim(
            "DEMO-2",
            "AEVB reaches a better bound than wake-sleep, and sooner, in all panels",
            "holds (reduced)",
            paper_numbers=json.dumps(numbers),
            detail="2 comparisons: 1 holds, 1 undecided",
            **replicated,
            **tested,
        ),
        _claim(
            "DEMO-10",
            "Full VB over the weights trains",
            "not run",
            where="App. F",
            detail="planned at this scale (quick), no results yet",
        ),
        _claim(
            "DEMO-1",
            "One noise sample is enough when the minibatch is large",
            "undecided",
            effect=0.2,
            low=-0.4,
            high=0.8,
            seeds=5,
            p_value=0.3,
            p_adjusted=0.9,
            seeds_needed=42,
            where="§2.3",
            rule_changed=True,
            rule_digest="ab" * 32,
        ),
        _claim(
            "DEMO-3",
            "Extra latent dimensions do not overfit",
            "fails (reduced)",
            effect=-1.25,
            low=-1.9,
            high=-0.6,
            seeds=4,
            p_value=0.01,
            p_adjusted=0.04,
        ),
        _claim(
            "DEMO-4",
            "The score function's final bound is no worse",
            "undecided",
            effect=np.nan,
            low=np.nan,
            high=np.nan,
            seeds=3,
            detail="fig2-latent3: seeds 2, 4 diverged",
        ),
        _claim(
            "DEMO-8",
            "The manifolds look smooth",
            "unjudged",
            setting=None,
            kind=None,
            unjudged="visual",
            reason="pictures have no number",
            where="Figs 4, 5",
            rule_digest=None,
            unit=None,
        ),
        _claim(
            "DEMO-9",
            "The closed form of the KL divergence",
            "replicated",
            setting="paper",
            kind="identity",
            effect=1e-12,
            low=1e-12,
            high=1e-12,
            seeds=1,
            where="App. B",
        ),
        _claim(
            "DEMO-H",
            HOSTILE + HOSTILE_IMAGE,
            "contradicted",
            where=HOSTILE_IMAGE,
            effect=-3.0,
            low=-np.inf,
            high=-1,
            seeds=2,
            detail=HOSTILE,
            paper_numbers=json.dumps([{"what": HOSTILE, "value": 1.0, "tag": "memory"}]),
        ),
        _claim("DEMO-2", "AEVB reaches a better bound than wake-sleep", "replicated", **replicated)
        | {"source": "reference", "scale": "standard", "setting": "paper"},
    ]


def _comparisons() -> list[dict]:
    base = {
        "source": "run",
        "scale": SCALE,
        "paper": PAPER,
        "claim": "DEMO-2",
        "kind": "ordering",
        "unit": "nats",
    }
    base |= {"left": "pathwise", "right": "wake_sleep", "metric": "elbo/test", "planned": 5}
    base |= {"rule": "left − right > 0.1", "problems": ""}
    return [
        base
        | {
            "experiment": "fig2-latent3",
            "estimate": 2.51,
            "estimate_low": 2.2,
            "estimate_high": 2.82,
            "seeds": 5,
        }
        | {"effect": 2.51, "low": 2.2, "high": 2.82, "p_for": 0.0004, "p_against": 1.0, "outcome": "holds"},
        base
        | {
            "experiment": "fig2-latent10",
            "estimate": 2.4,
            "estimate_low": -0.1,
            "estimate_high": 4.9,
            "seeds": 3,
        }
        | {"effect": 2.4, "low": -0.1, "high": 4.9, "p_for": 0.06, "p_against": 0.94, "outcome": "undecided"}
        | {"problems": "seed 4 missing, seed 2 failed"},
        base | {"experiment": HOSTILE, "seeds": 0, "outcome": "not run"},
    ]


def _oracles() -> list[dict]:
    """Right estimators, one that says it is biased, and one that is wrong."""
    where = {
        "source": "run",
        "scale": SCALE,
        "options": "{}",
        "check": "mean",
        "passed": True,
        "draws": 10_000,
        "tests": 9,
    }
    rows = []
    for estimator in ("exact", "pathwise", "score_function", HOSTILE):
        for i, problem in enumerate(
            ("bits_one_layer", "bits_two_layers", "normal_one_layer", "normal_shared")
        ):
            if estimator == "pathwise" and problem.startswith("bits"):
                continue
            found = where | {"estimator": estimator, "problem": problem}
            rows += [
                found | {"z": 1.5, "power": 0.59 + i / 100},
                found | {"options": '{"samples": 2}', "z": 2.5, "power": 0.2},
                found | {"check": "evaluations", "draws": 0, "tests": 0},
            ]
    biased = {"estimator": "straight_through", "problem": "bits_one_layer", "z": 84.2, "power": 0.4}
    shows = biased | {"check": "bias shows", "z": 900.0, "tests": 0}
    wrong = {"estimator": "exact", "problem": "normal_one_layer", "z": 12.0, "power": 0.7, "passed": False}
    wrong |= {"detail": f"its mean gradient is 12 standard errors off {HOSTILE}"}
    elsewhere = {"source": "reference", "estimator": "from_elsewhere", "problem": "p", "z": 1.0}
    return [*rows, where | biased, where | shows, where | wrong, where | elsewhere]
