"""Blundell et al. 2015: Bayes by Backprop."""
