"""Maddison et al. 2017: the Concrete distribution."""
