"""Laws: z = g(noise; parameters). Names and parameters follow torch.distributions."""

from reparam.distributions.base import Law, Relaxable
from reparam.distributions.bernoulli import Bernoulli
from reparam.distributions.categorical import Categorical, OneHotCategorical
from reparam.distributions.normal import Normal, standard_normal
from reparam.distributions.relaxed import (
    ExpRelaxedCategorical,
    LogitRelaxedBernoulli,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
)

__all__ = [
    "Bernoulli",
    "Categorical",
    "ExpRelaxedCategorical",
    "Law",
    "LogitRelaxedBernoulli",
    "Normal",
    "OneHotCategorical",
    "Relaxable",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "standard_normal",
]
