"""Mnih & Rezende 2016: VIMCO."""
