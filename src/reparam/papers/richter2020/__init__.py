"""Richter, Boustati, Nüsken, Ruiz & Akyildiz 2020: VarGrad."""
