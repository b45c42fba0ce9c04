"""Tucker et al. 2019: Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives."""
