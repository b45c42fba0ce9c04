"""Read off the paper's figures, Fig 2 (±0.02 %) and Fig 6 (±2 %), and its Table 2."""

EPOCHS = (100, 200, 300, 400, 500, 600)
TEST_ERROR = {
    "fig2-mixture": (1.63, 1.51, 1.43, 1.38, 1.34, 1.33),
    "fig2-dropout": (1.52, 1.45, 1.41, 1.44, 1.43, 1.41),
    "fig2-sgd": (1.86, 1.86, 1.86, 1.86, 1.85, 1.86),
}
"""Per cent, means over the 25 epochs before, 2×1200 units."""
REMOVED = (0.0, 0.5, 0.75, 0.95, 0.98)
PRUNED = (1.24, 1.24, 1.24, 1.29, 1.39)
"""Per cent of test errors without these shares of the weights of 2×1200 units."""
STEPS = (1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 40_000, 50_000)
REGRET = {
    "bandit-thompson": (1486, 1983, 2917, 3821, 4996, 5495, 5643, 5680),
    "bandit-point-epsilon0.0": (1469, 2258, 3478, 4739, 6171, 6923, 7601, 8090),
    "bandit-point-epsilon0.01": (1545, 2506, 4153, 6272, 9804, 12604, 15458, 18300),
    "bandit-point-epsilon0.05": (1810, 2803, 5570, 9775, 17431, 24403, 31761, 38800),
}
"""Cumulative, means of five runs."""
