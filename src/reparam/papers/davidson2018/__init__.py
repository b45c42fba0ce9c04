"""Davidson, Falorsi, De Cao, Kipf & Tomczak 2018: Hyperspherical Variational Auto-Encoders."""
