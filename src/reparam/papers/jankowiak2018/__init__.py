"""Jankowiak & Obermeyer 2018: Pathwise Derivatives Beyond the Reparameterization Trick."""
