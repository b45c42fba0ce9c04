"""Stochastic gradient estimators: a reproducible benchmark and paper-replication suite.

Laws, estimators, functions and modules are imported from here on first use, so that `import reparam` stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from reparam import data as data
    from reparam import distributions as distributions
    from reparam import engine as engine
    from reparam import errors as errors
    from reparam import estimators as estimators
    from reparam import measure as measure
    from reparam import models as models
    from reparam import noise as noise
    from reparam import oracles as oracles
    from reparam import program as program
    from reparam import tasks as tasks
    from reparam.distributions import Bernoulli as Bernoulli
    from reparam.distributions import Beta as Beta
    from reparam.distributions import Categorical as Categorical
    from reparam.distributions import Cauchy as Cauchy
    from reparam.distributions import Dirichlet as Dirichlet
    from reparam.distributions import Exponential as Exponential
    from reparam.distributions import ExpRelaxedCategorical as ExpRelaxedCategorical
    from reparam.distributions import Flow as Flow
    from reparam.distributions import FromCDF as FromCDF
    from reparam.distributions import FromInverseCDF as FromInverseCDF
    from reparam.distributions import FromStandardization as FromStandardization
    from reparam.distributions import FromTriangularStandardization as FromTriangularStandardization
    from reparam.distributions import Gamma as Gamma
    from reparam.distributions import Gumbel as Gumbel
    from reparam.distributions import HypersphericalUniform as HypersphericalUniform
    from reparam.distributions import Kumaraswamy as Kumaraswamy
    from reparam.distributions import Laplace as Laplace
    from reparam.distributions import Law as Law
    from reparam.distributions import Logistic as Logistic
    from reparam.distributions import LogitRelaxedBernoulli as LogitRelaxedBernoulli
    from reparam.distributions import LogNormal as LogNormal
    from reparam.distributions import MixtureSameFamily as MixtureSameFamily
    from reparam.distributions import MultivariateNormal as MultivariateNormal
    from reparam.distributions import Normal as Normal
    from reparam.distributions import NormalizingFlow as NormalizingFlow
    from reparam.distributions import OMTMultivariateNormal as OMTMultivariateNormal
    from reparam.distributions import OneHotCategorical as OneHotCategorical
    from reparam.distributions import PlanarFlow as PlanarFlow
    from reparam.distributions import PowerSpherical as PowerSpherical
    from reparam.distributions import RadialFlow as RadialFlow
    from reparam.distributions import RelaxedBernoulli as RelaxedBernoulli
    from reparam.distributions import RelaxedOneHotCategorical as RelaxedOneHotCategorical
    from reparam.distributions import StudentT as StudentT
    from reparam.distributions import TransformFlow as TransformFlow
    from reparam.distributions import Uniform as Uniform
    from reparam.distributions import VonMises as VonMises
    from reparam.distributions import VonMisesFisher as VonMisesFisher
    from reparam.distributions import Weibull as Weibull
    from reparam.distributions import from_torch as from_torch
    from reparam.distributions import from_zuko as from_zuko
    from reparam.distributions.scales import scale_from_exp as scale_from_exp
    from reparam.distributions.scales import scale_from_log_variance as scale_from_log_variance
    from reparam.distributions.scales import scale_from_softplus as scale_from_softplus
    from reparam.engine.estimate import draw_noise as draw_noise
    from reparam.engine.estimate import estimate as estimate
    from reparam.engine.estimate import init_estimator as init_estimator
    from reparam.estimators.arm import Arm as Arm
    from reparam.estimators.arm import Disarm as Disarm
    from reparam.estimators.double_control_variates import DoubleControlVariates as DoubleControlVariates
    from reparam.estimators.exact import Exact as Exact
    from reparam.estimators.grep import Grep as Grep
    from reparam.estimators.gumbel import Concrete as Concrete
    from reparam.estimators.gumbel import GumbelRao as GumbelRao
    from reparam.estimators.gumbel import GumbelSoftmax as GumbelSoftmax
    from reparam.estimators.gumbel import STGumbelSoftmax as STGumbelSoftmax
    from reparam.estimators.implicit import Implicit as Implicit
    from reparam.estimators.importance_weighted import Dreg as Dreg
    from reparam.estimators.importance_weighted import Iwae as Iwae
    from reparam.estimators.importance_weighted import Stl as Stl
    from reparam.estimators.local_disarm import LocalDisarm as LocalDisarm
    from reparam.estimators.measure_valued import MeasureValued as MeasureValued
    from reparam.estimators.mixed import Mixed as Mixed
    from reparam.estimators.muprop import MuProp as MuProp
    from reparam.estimators.nvil import Nvil as Nvil
    from reparam.estimators.pathwise import Pathwise as Pathwise
    from reparam.estimators.rebar import Rebar as Rebar
    from reparam.estimators.reinmax import ReinMax as ReinMax
    from reparam.estimators.relax import Lax as Lax
    from reparam.estimators.relax import Relax as Relax
    from reparam.estimators.reweighted_wake_sleep import ReweightedWakeSleep as ReweightedWakeSleep
    from reparam.estimators.rodeo import Rodeo as Rodeo
    from reparam.estimators.rsvi import Rsvi as Rsvi
    from reparam.estimators.score_function import ScoreFunction as ScoreFunction
    from reparam.estimators.straight_through import AnnealedStraightThrough as AnnealedStraightThrough
    from reparam.estimators.straight_through import Half as Half
    from reparam.estimators.straight_through import StraightThrough as StraightThrough
    from reparam.estimators.vargrad import VarGrad as VarGrad
    from reparam.estimators.vimco import Vimco as Vimco
    from reparam.measure.moments import gradient_moments as gradient_moments

_HOMES = {
    "Bernoulli": "distributions",
    "Beta": "distributions",
    "Categorical": "distributions",
    "Cauchy": "distributions",
    "Dirichlet": "distributions",
    "ExpRelaxedCategorical": "distributions",
    "Exponential": "distributions",
    "Flow": "distributions",
    "FromCDF": "distributions",
    "FromInverseCDF": "distributions",
    "FromStandardization": "distributions",
    "FromTriangularStandardization": "distributions",
    "Gamma": "distributions",
    "Gumbel": "distributions",
    "HypersphericalUniform": "distributions",
    "Kumaraswamy": "distributions",
    "Laplace": "distributions",
    "Law": "distributions",
    "LogNormal": "distributions",
    "Logistic": "distributions",
    "LogitRelaxedBernoulli": "distributions",
    "MixtureSameFamily": "distributions",
    "MultivariateNormal": "distributions",
    "Normal": "distributions",
    "NormalizingFlow": "distributions",
    "OMTMultivariateNormal": "distributions",
    "OneHotCategorical": "distributions",
    "PlanarFlow": "distributions",
    "PowerSpherical": "distributions",
    "RadialFlow": "distributions",
    "RelaxedBernoulli": "distributions",
    "RelaxedOneHotCategorical": "distributions",
    "StudentT": "distributions",
    "TransformFlow": "distributions",
    "Uniform": "distributions",
    "VonMises": "distributions",
    "VonMisesFisher": "distributions",
    "Weibull": "distributions",
    "AnnealedStraightThrough": "estimators.straight_through",
    "Arm": "estimators.arm",
    "Concrete": "estimators.gumbel",
    "Disarm": "estimators.arm",
    "DoubleControlVariates": "estimators.double_control_variates",
    "Dreg": "estimators.importance_weighted",
    "Estimator": "estimators.base",
    "Exact": "estimators.exact",
    "Grep": "estimators.grep",
    "GumbelRao": "estimators.gumbel",
    "GumbelSoftmax": "estimators.gumbel",
    "Half": "estimators.straight_through",
    "Implicit": "estimators.implicit",
    "Iwae": "estimators.importance_weighted",
    "Lax": "estimators.relax",
    "LocalDisarm": "estimators.local_disarm",
    "MeasureValued": "estimators.measure_valued",
    "Mixed": "estimators.mixed",
    "MuProp": "estimators.muprop",
    "Nvil": "estimators.nvil",
    "Pathwise": "estimators.pathwise",
    "Rebar": "estimators.rebar",
    "ReinMax": "estimators.reinmax",
    "Relax": "estimators.relax",
    "ReweightedWakeSleep": "estimators.reweighted_wake_sleep",
    "Rodeo": "estimators.rodeo",
    "Rsvi": "estimators.rsvi",
    "STGumbelSoftmax": "estimators.gumbel",
    "ScoreFunction": "estimators.score_function",
    "Stl": "estimators.importance_weighted",
    "StraightThrough": "estimators.straight_through",
    "VarGrad": "estimators.vargrad",
    "Vimco": "estimators.vimco",
    "draw_noise": "engine.estimate",
    "estimate": "engine.estimate",
    "from_torch": "distributions",
    "from_zuko": "distributions",
    "gradient_moments": "measure.moments",
    "init_estimator": "engine.estimate",
    "reparameterize": "distributions.normal",
    "reparameterize_k_samples": "distributions.normal",
    "scale_from_exp": "distributions.scales",
    "scale_from_log_variance": "distributions.scales",
    "scale_from_softplus": "distributions.scales",
}
_MODULES = (
    "data",
    "distributions",
    "engine",
    "errors",
    "estimators",
    "measure",
    "models",
    "noise",
    "oracles",
    "program",
    "tasks",
)
__all__ = [*_HOMES, *_MODULES, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("reparam")
    if name in _MODULES:
        return importlib.import_module(f"reparam.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'reparam' has no attribute {name!r}")
    return getattr(importlib.import_module(f"reparam.{_HOMES[name]}"), name)
