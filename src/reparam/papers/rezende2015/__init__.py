"""Rezende & Mohamed 2015: Variational Inference with Normalizing Flows."""
