"""Liu et al. 2023: ReinMax."""
