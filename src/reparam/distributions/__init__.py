"""Laws: z = g(noise; parameters). Names and parameters follow torch.distributions."""

from reparam.distributions.base import Law, Relaxable
from reparam.distributions.bernoulli import Bernoulli
from reparam.distributions.categorical import Categorical, OneHotCategorical
from reparam.distributions.normal import Normal, standard_normal

__all__ = ["Bernoulli", "Categorical", "Law", "Normal", "OneHotCategorical", "Relaxable", "standard_normal"]
