"""Shi et al. 2022: RODEO."""
