"""What estimators make of one bit whose cost is a power of its distance to a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Bernoulli
from reparam.measure.lattice import lattice_moments
from reparam.program import Params, Sample

POINTS = 1_000
"""Of the lattice of the bit's uniform: probabilities are counted to three digits."""


@procedure("powers")
def powers(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The bias of d/dθ E[(b − t)^k], b ~ Bernoulli(σ(θ)), for each exponent k and probability; nothing is random.

    Rows by index of the probability: probability, and bias/<k>. At the last index too: worst/<k>, the largest |bias|.
    """
    method, options = spec["method"], spec["evaluation"]
    estimator = estimators.make(method["name"], method["options"])
    p = torch.tensor(options["probabilities"], dtype=torch.float64)
    target = options["target"]
    rows: list[Row] = [(i, "probability", each) for i, each in enumerate(p.tolist())]
    for k in options["exponents"]:

        def cost(params: Params, sample: Sample, k: int = k) -> torch.Tensor:
            return (sample("b", Bernoulli(logits=params["bit.logits"])).squeeze(-1) - target) ** k

        mean = lattice_moments(estimator, cost, {"bit.logits": torch.logit(p).unsqueeze(-1)}, POINTS).mean
        exact = p * (1 - p) * ((1 - target) ** k - (-target) ** k)
        bias = mean["bit.logits"].squeeze(-1) - exact
        rows += [(i, f"bias/{k}", each) for i, each in enumerate(bias.tolist())]
        rows.append((len(p) - 1, f"worst/{k}", bias.abs().max().item()))
    return Findings(rows, {})
