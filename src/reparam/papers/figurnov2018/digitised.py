"""Points read from Fig 1, ± 10 %, and the errors of Table 2."""

FIG1_PHI = (1.0, 2.0, 3.0)
FIG1 = {
    ("dirichlet", "implicit"): (1.4, 0.19, 0.072),
    ("dirichlet", "rsvi_b10"): (1.6, 0.28, 0.14),
    ("dirichlet", "rsvi_b5"): (3.25, 1.1, 0.8),
    ("dirichlet", "rsvi_b1"): (1e3, 47.5, 11.0),
    ("dirichlet", "rsvi_b0"): (float("nan"), 600.0, 50.0),
    ("von-mises", "implicit"): (0.38, 0.155, 0.043),
    ("von-mises", "rsvi"): (21.0, 12.5, 4.0),
}
"""B = 5 and B = 1 in the middle of what can only be read as ranges; B = 0 is off the figure's scale at φ = 1."""

TABLE2 = {
    ("gamma", "float32", "pathwise"): 2.3e-6,
    ("gamma", "float32", "finite_difference"): 1.9e-3,
    ("gamma", "float32", "torch"): 4.1e-5,
    ("gamma", "float64", "pathwise"): 5.4e-13,
    ("gamma", "float64", "finite_difference"): 3.2e-9,
    ("von-mises", "float32", "pathwise"): 1.9e-7,
    ("von-mises", "float32", "finite_difference"): 9.6e-5,
    ("von-mises", "float64", "pathwise"): 1.3e-13,
    ("von-mises", "float64", "finite_difference"): 1.1e-10,
}
