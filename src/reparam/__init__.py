"""Stochastic gradient estimators: a reproducible benchmark and paper-replication suite."""
