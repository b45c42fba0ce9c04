"""Points read from Fig 4 at α = 2, ± 10 %."""

FIG4_AT_2 = {"grep": 500.0, "rsvi_b0": 400.0, "rsvi_b1": 50.0, "rsvi_b3": 2.5, "rsvi_b10": 0.23}
