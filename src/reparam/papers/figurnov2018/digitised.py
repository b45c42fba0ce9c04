"""Points read from Fig 1, ± 10 %, and Table 2."""

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
    ("gamma", "float32", "implicit"): (2.3e-6, 1.9e-8),
    ("gamma", "float32", "finite_difference"): (1.9e-3, 3.8e-8),
    ("gamma", "float32", "torch"): (4.1e-5, 9.0e-8),
    ("gamma", "float64", "implicit"): (5.4e-13, 3.2e-8),
    ("gamma", "float64", "finite_difference"): (3.2e-9, 7.1e-8),
    ("gamma", "float64", "knowles"): (6.5e-3, 1.2e-6),
    ("von-mises", "float32", "implicit"): (1.9e-7, 3.1e-8),
    ("von-mises", "float32", "finite_difference"): (9.6e-5, 3.8e-8),
    ("von-mises", "float64", "implicit"): (1.3e-13, 3.7e-8),
    ("von-mises", "float64", "finite_difference"): (1.1e-10, 5.9e-8),
}
"""(mean absolute error, seconds per value) by law, type and method: the paper's automatic differentiation of the CDF is
`implicit`, Jankowiak and Obermeyer's is `torch`."""
