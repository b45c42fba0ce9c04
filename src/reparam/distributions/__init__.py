"""Laws: z = g(noise; parameters). Names and parameters follow torch.distributions."""

from reparam.distributions.base import Law, Relaxable
from reparam.distributions.bernoulli import Bernoulli
from reparam.distributions.beta import Beta
from reparam.distributions.categorical import Categorical, OneHotCategorical
from reparam.distributions.conversion import from_torch
from reparam.distributions.custom import FromInverseCDF
from reparam.distributions.dirichlet import Dirichlet
from reparam.distributions.flows import Flow, NormalizingFlow, PlanarFlow, RadialFlow, TransformFlow
from reparam.distributions.gamma import Gamma
from reparam.distributions.inverse_cdf import Exponential, Kumaraswamy, Uniform, Weibull
from reparam.distributions.location_scale import Cauchy, Gumbel, Laplace, Logistic, LogNormal
from reparam.distributions.mixture import MixtureSameFamily
from reparam.distributions.multivariate_normal import MultivariateNormal
from reparam.distributions.normal import Normal, standard_normal
from reparam.distributions.optimal_transport import OMTMultivariateNormal
from reparam.distributions.power_spherical import PowerSpherical
from reparam.distributions.relaxed import (
    ExpRelaxedCategorical,
    LogitRelaxedBernoulli,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
)
from reparam.distributions.sphere import HypersphericalUniform
from reparam.distributions.standardization import FromCDF, FromStandardization, FromTriangularStandardization
from reparam.distributions.student_t import StudentT
from reparam.distributions.von_mises import VonMises
from reparam.distributions.von_mises_fisher import VonMisesFisher
from reparam.distributions.zuko import from_zuko

__all__ = [
    "Bernoulli",
    "Beta",
    "Categorical",
    "Cauchy",
    "Dirichlet",
    "ExpRelaxedCategorical",
    "Exponential",
    "Flow",
    "FromCDF",
    "FromInverseCDF",
    "FromStandardization",
    "FromTriangularStandardization",
    "Gamma",
    "Gumbel",
    "HypersphericalUniform",
    "Kumaraswamy",
    "Laplace",
    "Law",
    "LogNormal",
    "Logistic",
    "LogitRelaxedBernoulli",
    "MixtureSameFamily",
    "MultivariateNormal",
    "Normal",
    "NormalizingFlow",
    "OMTMultivariateNormal",
    "OneHotCategorical",
    "PlanarFlow",
    "PowerSpherical",
    "RadialFlow",
    "Relaxable",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "StudentT",
    "TransformFlow",
    "Uniform",
    "VonMises",
    "VonMisesFisher",
    "Weibull",
    "from_torch",
    "from_zuko",
    "standard_normal",
]
