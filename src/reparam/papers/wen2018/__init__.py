"""Wen et al. 2018: Flipout: Efficient Pseudo-Independent Weight Perturbations on Mini-Batches."""
