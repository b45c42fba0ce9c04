"""Dong et al. 2020: DisARM."""
