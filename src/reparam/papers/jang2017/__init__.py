"""Jang et al. 2017: Gumbel-Softmax."""
