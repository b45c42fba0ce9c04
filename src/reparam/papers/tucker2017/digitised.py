"""Table 1 as later papers quote it: training bounds in nats. REBAR (0.1) is remembered and not shown."""

TABLE_1 = {
    "linear-1": {"nvil": -112.5, "muprop": -111.7, "rebar": -111.6, "concrete": -111.3},
    "linear-2": {"nvil": -99.6, "muprop": -99.07, "rebar": -98.8, "concrete": -99.62},
    "nonlinear": {"nvil": -102.2, "muprop": -101.5, "rebar": -101.1},
}
"""MNIST. Our Omniglot is another draw and another resize, beside which the paper's levels mean nothing."""
