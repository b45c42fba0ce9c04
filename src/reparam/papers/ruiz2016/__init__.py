"""Ruiz, Titsias & Blei 2016: The Generalized Reparameterization Gradient."""
