"""Mohamed, Rosca, Figurnov & Mnih 2020: Monte Carlo Gradient Estimation in Machine Learning."""
