"""Grathwohl et al. 2018: Backpropagation through the Void."""
