"""Figurnov, Mohamed & Mnih 2018: Implicit Reparameterization Gradients."""
