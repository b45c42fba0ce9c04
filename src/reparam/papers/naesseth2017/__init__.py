"""Naesseth, Ruiz, Linderman & Blei 2017: Reparameterization Gradients through Acceptance-Rejection Sampling."""
