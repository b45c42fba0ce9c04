"""Kingma et al. 2015: Variational Dropout and the Local Reparameterization Trick."""
