"""A Bernoulli VAE on scikit-learn's digits, with an optimiser of torch.optim: python bernoulli_vae.py [epochs]"""

import sys

import torch
from sklearn.datasets import load_digits
from torch.nn.functional import linear

from reparam import Bernoulli, estimate

EPOCHS, PIXELS, LATENT = int(sys.argv[1]) if len(sys.argv) > 1 else 20, 64, 32


def program(x):
    def bound(p, sample):
        q = Bernoulli(logits=linear(x, p["encoder.weight"], p["encoder.bias"]))
        z = sample("z", q)
        prior = Bernoulli(logits=p["prior"].expand_as(z))
        likelihood = Bernoulli(logits=linear(z, p["decoder.weight"], p["decoder.bias"]))
        return likelihood.log_prob(x) + prior.log_prob(z) - q.log_prob(z)

    return bound


digits = (torch.tensor(load_digits().data) > 7).float()
shapes = {"encoder.weight": (LATENT, PIXELS), "encoder.bias": (LATENT,), "prior": (LATENT,)}
shapes |= {"decoder.weight": (PIXELS, LATENT), "decoder.bias": (PIXELS,)}
source = torch.Generator().manual_seed(0)
params = {name: 0.1 * torch.randn(shape, generator=source) for name, shape in shapes.items()}
optimiser = torch.optim.Adam(params.values(), lr=0.01)
for epoch in range(EPOCHS):
    bounds = []
    for x in digits[torch.randperm(len(digits), generator=source)].split(100):
        found = estimate(program(x), params, estimator="disarm", noise=source)
        for name, entry in params.items():
            entry.grad = -found.gradient[name] / len(x)
        optimiser.step()
        bounds.append(found.value.mean().item())
    print(f"epoch {epoch + 1}: {sum(bounds) / len(bounds):.2f} nats per image")
