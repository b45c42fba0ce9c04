"""Roeder, Wu & Duvenaud 2017: Sticking the Landing."""
