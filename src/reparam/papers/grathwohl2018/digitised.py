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
