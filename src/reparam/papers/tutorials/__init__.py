"""Three tutorials on the reparameterization trick, statement by statement."""
