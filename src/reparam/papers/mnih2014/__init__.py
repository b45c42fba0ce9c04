"""Mnih & Gregor 2014: NVIL."""
