"""Yin & Zhou 2019: ARM."""
