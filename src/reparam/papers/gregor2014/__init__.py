"""Gregor et al. 2014: deep autoregressive networks."""
