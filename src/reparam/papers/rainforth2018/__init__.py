"""Rainforth et al. 2018: Tighter Variational Bounds Are Not Necessarily Better."""
