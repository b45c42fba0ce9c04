"""Networks against a plain NumPy forward pass."""

import numpy as np
import torch

from reparam.models import mlp
from reparam.noise import generator


def sizes() -> dict[str, tuple[int, int]]:
    return {
        **mlp.gaussian_sizes("encoder", 5, 4, 2),
        **mlp.bernoulli_sizes("decoder", 2, 4, 5),
        **mlp.gaussian_sizes("grey", 2, 4, 5),
    }


def test_forward_passes_match_numpy() -> None:
    params = mlp.init(sizes(), generator("test", "mlp"), scale=0.7)
    x = torch.linspace(-1, 1, 3 * 2 * 5).reshape(3, 2, 5)
    n = {name: value.double().numpy() for name, value in params.items()}

    def affine(name: str, inputs: np.ndarray) -> np.ndarray:
        return inputs @ n[f"{name}.weight"].T + n[f"{name}.bias"]

    hidden = np.tanh(affine("encoder.hidden", x.double().numpy()))
    law = mlp.gaussian(params, "encoder", x)
    assert law.plate == (3, 2)
    np.testing.assert_allclose(law.mean, affine("encoder.mean", hidden), rtol=1e-5, atol=1e-6)
    variance = np.exp(affine("encoder.log_variance", hidden))
    np.testing.assert_allclose(law.variance, variance, rtol=1e-5)

    z = law.mean
    hidden = np.tanh(affine("decoder.hidden", z.double().numpy()))
    logits = affine("decoder.logits", hidden)
    np.testing.assert_allclose(mlp.bernoulli(params, "decoder", z).logits, logits, rtol=1e-4, atol=1e-6)

    hidden = np.tanh(affine("grey.hidden", z.double().numpy()))
    squashed = 1 / (1 + np.exp(-affine("grey.mean", hidden)))
    np.testing.assert_allclose(mlp.squashed_gaussian(params, "grey", z).mean, squashed, rtol=1e-5)


def test_init_draws_biases_too_with_the_stated_deviation() -> None:
    """Sample deviation of ~10^5 normals within 1 %: a false alarm below 1e-5."""
    params = mlp.init({"encoder.hidden": (300, 300), "decoder.hidden": (2, 5000)}, generator("test", "init"))
    assert abs(params["encoder.hidden.weight"].std() / 0.01 - 1) < 0.01
    assert abs(params["decoder.hidden.bias"].std() / 0.01 - 1) < 0.05
    again = mlp.init({"encoder.hidden": (300, 300)}, generator("test", "init"))
    assert torch.equal(again["encoder.hidden.bias"], params["encoder.hidden.bias"])
