"""Burda et al. 2016: Importance Weighted Autoencoders."""
