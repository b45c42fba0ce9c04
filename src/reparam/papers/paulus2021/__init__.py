"""Paulus et al. 2021: Rao-Blackwellised straight-through Gumbel-Softmax."""
