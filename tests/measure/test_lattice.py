"""Lattice moments against closed forms, enumeration and an integral by mpmath; one bit against its closed forms."""

import mpmath
import pytest
import torch

from reparam import estimators
from reparam.distributions import Bernoulli, Normal
from reparam.errors import ReparamError
from reparam.measure.lattice import lattice_moments
from reparam.measure.one_bit import VARIANCES, one_bit
from reparam.oracles import one_bit as closed_forms

GRID = {"probabilities": [0.1, 0.5, 0.8], "targets": [0.3], "constants": [0.0, 2.0], "points": 10_000}
LABELS = {"score_function_loo": ("score_function", {"baseline": "leave_one_out", "samples": 2})}


@pytest.mark.parametrize("label", sorted(VARIANCES))
def test_estimators_on_one_bit_have_their_closed_forms(label: str) -> None:
    name, options = LABELS.get(label, (label, {}))
    found = one_bit(estimators.make(name, options), GRID)
    exact = VARIANCES[label](found.probability, found.target, found.constant)
    torch.testing.assert_close(found.mean, found.exact_mean, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.variance, exact, rtol=1e-7, atol=1e-12)
    assert found.constant.tolist() == [0.0, 2.0] * 3


def test_a_wrong_closed_form_shows() -> None:
    """DisARM's without the factor max(p, q), and ARM's in DisARM's place."""
    found = one_bit(estimators.make("disarm"), GRID)
    p, t = found.probability, found.target
    wrong = 0.5 * p * (1 - p) * (1 - 2 * t) ** 2 - (p * (1 - p) * (1 - 2 * t)) ** 2
    assert ((found.variance - wrong).abs() > 1e-4).all()
    assert ((found.variance - closed_forms.arm(p, t)).abs() > 1e-6).all()


def cube(params, sample):
    return sample("b", Bernoulli(logits=params["bit.logits"])).squeeze(-1) ** 3


def test_a_smooth_estimate_is_integrated() -> None:
    """Concrete, f = s³: the integral of 3 s² s (1 − s)/τ over the uniform, and of its square."""
    theta, tau = 0.4, 0.5
    params = {"bit.logits": torch.tensor([[theta], [-1.0]], dtype=torch.float64)}
    found = lattice_moments(estimators.make("concrete", {"temperature": tau}), cube, params, 10_000)

    def estimate(u):
        s = 1 / (1 + mpmath.exp(-(theta + mpmath.log(u / (1 - u))) / tau))
        return 3 * s**3 * (1 - s) / tau

    mean = mpmath.quad(estimate, [0, 0.2, 0.5, 0.8, 1])
    square = mpmath.quad(lambda u: estimate(u) ** 2, [0, 0.2, 0.5, 0.8, 1])
    assert found.mean["bit.logits"][0, 0].item() == pytest.approx(float(mean), rel=1e-6)
    assert found.variance["bit.logits"][0, 0].item() == pytest.approx(float(square - mean**2), rel=1e-6)


def test_data_share_the_lattice_and_not_their_gradients() -> None:
    """A datum's moments are those that it has alone."""
    estimator = estimators.make("gumbel_rao", {"inner": 2})
    logits = torch.tensor([[0.4], [-1.0]], dtype=torch.float64)
    both = lattice_moments(estimator, cube, {"bit.logits": logits}, 8000)
    for i in range(2):
        alone = lattice_moments(estimator, cube, {"bit.logits": logits[i : i + 1]}, 8000)
        assert both.mean["bit.logits"][i].item() == pytest.approx(alone.mean["bit.logits"].item(), rel=1e-12)
        assert both.variance["bit.logits"][i].item() == pytest.approx(
            alone.variance["bit.logits"].item(), rel=1e-12
        )


@pytest.mark.parametrize(
    ("name", "options", "program", "says"),
    [
        (
            "pathwise",
            {},
            lambda params, sample: sample("z", Normal(params["bit.logits"], torch.ones(2, 1))).squeeze(-1),
            "not uniform",
        ),
        ("score_function", {"baseline": "moving_average"}, cube, "running averages"),
        (
            "arm",
            {},
            lambda params, sample: sample("b", Bernoulli(logits=params["bit.logits"], event_dims=2)).sum(),
            "a plate of one axis",
        ),
    ],
)
def test_what_a_lattice_cannot_do_is_refused(name: str, options: dict, program, says: str) -> None:
    params = {"bit.logits": torch.zeros(2, 1, dtype=torch.float64)}
    with pytest.raises(ReparamError, match=says):
        lattice_moments(estimators.make(name, options), program, params, 100)
