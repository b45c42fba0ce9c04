"""The VAE of Kingma & Welling (2014) as one would write it by hand: the yardstick for the engine.

784-400-20, tanh, Bernoulli decoder, analytic KL. Logits loss, fused optimiser, no host synchronisation
in the loop, noise drawn where it is used.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainVAE(nn.Module):
    """Gaussian encoder and Bernoulli decoder with one tanh layer each."""

    def __init__(self, pixels: int = 784, hidden: int = 400, latent: int = 20) -> None:
        super().__init__()
        self.encoder_hidden = nn.Linear(pixels, hidden)
        self.encoder_head = nn.Linear(hidden, 2 * latent)
        self.decoder_hidden = nn.Linear(latent, hidden)
        self.decoder_logits = nn.Linear(hidden, pixels)

    def loss(self, x: Tensor) -> Tensor:
        """Minus the ELBO in nats per datapoint, for x of shape [B, pixels] in {0, 1}."""
        mean, log_variance = self.encoder_head(torch.tanh(self.encoder_hidden(x))).chunk(2, dim=-1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        logits = self.decoder_logits(torch.tanh(self.decoder_hidden(z)))
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        return (reconstruction + kl) / x.shape[0]


def optimiser(model: nn.Module, name: str) -> torch.optim.Optimizer:
    """`adam` or `adagrad`, fused where this build of torch has it for the model's device."""
    if name == "adam":
        return torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    fused = next(model.parameters()).device.type == "cpu"
    return torch.optim.Adagrad(model.parameters(), lr=0.01, fused=fused)


def train(model: PlainVAE, optimiser: torch.optim.Optimizer, batches: Tensor) -> None:
    """One step per batch of `batches` [steps, B, pixels]."""
    for x in batches:
        optimiser.zero_grad(set_to_none=True)
        model.loss(x).backward()
        optimiser.step()
