"""Titsias & Shi 2022: Double Control Variates."""
