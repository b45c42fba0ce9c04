"""Points read from the paper's vector figures (line width), and from the repository's companion figure."""

TOY_STEPS = (0, 500, 1000, 2000, 3000, 5000, 7000, 9000, 10000)
TOY_LOSS = {
    "exact": (0.25000, 0.24912, 0.24904, 0.24902, 0.24901, 0.24900, 0.24900, 0.24900, 0.24900),
    "relax": (0.25000, 0.24995, 0.24985, 0.24968, 0.24960, 0.24935, 0.24923, 0.24920, 0.24914),
    "rebar": (0.2500, 0.2498, 0.2499, 0.2501, 0.2503, 0.2502, 0.2499, 0.2500, 0.2499),
    "score_function": (0.2500, 0.2501, 0.2504, 0.2504, 0.2502, 0.2498, 0.2499, 0.2496, 0.2496),
}
"""Fig 1: expected loss at t = 0.499, one seed."""

TOY_LOG_VARIANCE_STEPS = (500, 1000, 2000, 3000, 5000, 7000, 9000, 10000)
TOY_LOG_VARIANCE = {
    "score_function": (-4.16, -4.17, -4.16, -4.16, -4.20, -4.20, -4.27, -4.20),
    "rebar": (-4.10, -4.24, -4.28, -4.41, -4.42, -4.55, -4.68, -4.69),
    "relax": (-10.1, -12.2, -13.1, -14.9, -15.5, -10.6, -15.5, -15.8),
}
"""Fig 1: natural logarithm of the variance, a rolling mean of 50 readings."""

COMPANION_STEPS = (0, 500, 1000, 2000, 3000)
COMPANION_LOSS = {
    "exact": (0.2524, 0.2083, 0.2045, 0.2031, 0.2028),
    "relax": (0.2526, 0.2143, 0.2061, 0.2037, 0.2032),
    "rebar": (0.2526, 0.2323, 0.2184, 0.2102, 0.2068),
    "score_function": (0.2526, 0.2417, 0.2260, 0.2161, 0.2098),
}
"""Expected loss at t = 0.45: in the authors' repository, not in the paper."""

SOLVED = {"a2c": (1152, 90), "relax": (472, 114)}
"""Table 2: episodes until CartPole is solved, and ± over 5 seeds."""

LOG_VARIANCE = {"a2c": (0.3, 4.55, 7.8), "relax": (-2.0, -0.70, 0.65)}
"""RL figures, CartPole: least, mean and greatest ln variance of the policy gradient over 470 episodes."""

EPOCHS = {
    "linear-1": (100, 200, 400, 800, 950),
    "linear-2": (200, 400, 800, 950),
}
"""Epochs of MNIST, 50,000 rows each, at which the training curves below were read."""
CURVES: dict[tuple[str, str], dict[str, tuple[float, ...]]] = {
    ("linear-1", "train"): {
        "rebar": (-117.9, -115.3, -113.5, -111.8, -111.6),
        "relax": (-117.2, -114.9, -113.0, -111.4, -111.2),
    },
    ("linear-1", "valid"): {
        "rebar": (-119.4, -117.1, -115.7, -114.5, -114.4),
        "relax": (-118.4, -116.5, -115.0, -113.9, -113.7),
    },
    ("linear-2", "train"): {
        "rebar": (-104.4, -100.3, -98.5, -98.2),
        "relax": (-103.5, -100.0, -98.3, -98.0),
    },
    ("linear-2", "valid"): {
        "rebar": (-105.7, -102.3, -101.3, -101.2),
        "relax": (-104.8, -102.0, -101.0, -100.9),
    },
}
"""ELBO in nats along training, MNIST. Omniglot's curves are not here: our draw and resize are others."""

COLUMNS = ("Concrete", "NVIL", "MuProp", "REBAR", "RELAX")
NONLINEAR = {
    "MNIST": (-102.2, -101.5, -101.1, -81.01, -78.13),
    "Omniglot": (-110.4, -109.58, -108.72, -56.76, -56.12),
}
"""Table 1, highest training ELBO of the non-linear models, under the headers it is printed with."""
DRAFT = ("NVIL", "MuProp", "REBAR (Tucker et al.)", "REBAR", "RELAX")
"""Whose numbers they are by the headers of a draft, in which the first three are the same."""
TABLE_1 = {
    "linear-1": {"concrete": -111.3, "nvil": -112.5, "muprop": -111.7, "rebar": -111.6, "relax": -111.20},
    "linear-2": {"concrete": -99.62, "nvil": -99.6, "muprop": -99.07, "rebar": -98.22, "relax": -98.00},
}
"""Table 1, MNIST, the rows that stand under their own headers."""
