"""The paper's tables and its bars. Table 1 in nats: negative log likelihoods, or bounds on them, of 1,000 samples."""

ROWS = {
    "table1-sbn-bernoulli": "SBN (Bern.)",
    "table1-sbn-categorical": "SBN (Cat.)",
    "table1-vae-bernoulli": "VAE (Bern.)",
    "table1-vae-categorical": "VAE (Cat.)",
}
"""Experiments by their row's name."""
ESTIMATORS = (
    "nvil",
    "half",
    "muprop",
    "straight_through",
    "annealed_straight_through",
    "gumbel_softmax",
    "st_gumbel_softmax",
)
"""Table 1's columns: the score function with NVIL's baselines, DARN, MuProp, ST, annealed ST, Gumbel-Softmax, ST
Gumbel-Softmax."""
TABLE1 = {
    "table1-sbn-bernoulli": (72.0, 59.7, 58.9, 58.9, 58.7, 58.5, 59.3),
    "table1-sbn-categorical": (73.1, 67.9, 63.0, 61.8, 61.1, 59.0, 59.7),
    "table1-vae-bernoulli": (112.2, 110.9, 109.7, 116.0, 111.5, 105.0, 111.5),
    "table1-vae-categorical": (110.6, 128.8, 107.0, 110.9, 107.8, 101.5, 107.8),
}
TABLE2 = {
    "marginalised": (92.6, -106.8),
    "gumbel_softmax": (92.4, -109.6),
    "st_gumbel_softmax": (93.6, -110.7),
}
"""Test accuracy in per cent, and test bound in nats."""
SPEED = {10: 2.0, 100: 9.9}
"""Steps per second with a relaxed label over those with a marginalised one, by the number of classes (Fig 5a)."""
