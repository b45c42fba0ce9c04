"""Gu et al. 2016: MuProp."""
