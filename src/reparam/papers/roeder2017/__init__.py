"""Roeder, Wu & Duvenaud 2017: Sticking the Landing: Simple, Lower-Variance Gradient Estimators for Variational Inference."""
