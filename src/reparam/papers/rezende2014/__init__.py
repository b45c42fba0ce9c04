"""Rezende, Mohamed & Wierstra 2014: Stochastic Backpropagation and Approximate Inference in Deep Generative Models."""
