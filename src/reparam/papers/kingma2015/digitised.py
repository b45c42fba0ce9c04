"""Table 1, from a picture of it, and Fig 1, read from one to ± 0.02: test error on MNIST, in per cent."""

WIDTHS = (100, 250, 500, 750, 1000, 1250)
TEST_ERROR = {
    "fig1-none": (1.44, 1.31, 1.21, 1.18, 1.18, 1.18),
    "fig1-binary": (2.17, 1.39, 1.23, 1.10, 1.02, 1.06),
    "fig1-gaussian-a": (2.40, 1.42, 1.18, 1.10, 1.03, 0.98),
    "fig1-variational-a": (1.42, 1.27, 1.13, 1.06, 1.02, 1.00),
    "fig1-variational-a2": (1.51, 1.21, 1.07, 0.95, 0.95, 0.93),
    "fig1-gaussian-b": (2.01, 1.46, 1.28, 1.26, 1.19, 1.26),
    "fig1-variational-b": (1.58, 1.37, 1.29, 1.22, 1.17, 1.21),
}
GRADIENT_VARIANCE = {
    "local": {"top": (7.8e3, 1.2e3), "bottom": (1.9e2, 1.1e2)},
    "per_example": {"top": (1.4e4, 2.6e3), "bottom": (4.3e2, 2.5e2)},
    "shared": {"top": (4.9e4, 4.3e3), "bottom": (8.5e2, 3.3e2)},
    "none": {"top": (2.8e3, 5.9e1), "bottom": (1.3e2, 9.0e0)},
}
"""By way and layer, after 10 and 100 epochs."""
