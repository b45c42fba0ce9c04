"""Tables 1 to 3 of the paper: test negative log-likelihoods in nats, and active units."""

KS = ("pathwise", "pathwise_5", "pathwise_50", "iwae_5", "iwae_50")
"""In the order of the rows below: k = 1, VAE with 5 and 50, IWAE with 5 and 50."""


def _row(*numbers: float) -> dict[str, float]:
    return dict(zip(KS, numbers, strict=True))


NLL = {
    "one layer": _row(86.76, 86.47, 86.35, 85.54, 84.78),
    "two layers": _row(85.33, 85.01, 84.78, 83.89, 82.90),
    "Omniglot, one layer": _row(108.11, 107.62, 107.80, 106.12, 104.67),
    "Omniglot, two layers": _row(107.58, 106.31, 106.30, 104.79, 103.38),
    "fixed pixels, one layer": _row(88.71, 88.83, 89.05, 87.63, 87.10),
    "fixed pixels, two layers": _row(88.08, 87.63, 87.86, 86.17, 85.32),
}
"""Of Omniglot with k = 1 and two layers the VAE's; the same model under the name IWAE has 107.56."""

COUNTS = (1, 5, 50)
ACTIVE = {
    "one layer": {"pathwise": (COUNTS, (19, 20, 20)), "iwae": (COUNTS, (19, 22, 25))},
    "two layers: z1": {"pathwise": (COUNTS, (16, 17, 17)), "iwae": (COUNTS, (16, 21, 26))},
    "two layers: z2": {"pathwise": (COUNTS, (5, 5, 5)), "iwae": (COUNTS, (5, 5, 7))},
}
"""On MNIST: samples and active units, by method."""

SWAP = {"pathwise": ((86.76, 19), (84.88, 22)), "iwae_50": ((84.78, 25), (86.02, 23))}
"""Table 2: (negative log-likelihood, active units) after the first and the second stage, by what comes first."""
