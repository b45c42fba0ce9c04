"""Laws: z = g(noise; parameters). Names and parameters follow torch.distributions."""

from reparam.distributions.base import Law
from reparam.distributions.bernoulli import Bernoulli
from reparam.distributions.normal import Normal, standard_normal

__all__ = ["Bernoulli", "Law", "Normal", "standard_normal"]
