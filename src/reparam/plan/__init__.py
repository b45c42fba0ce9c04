"""What is to run: configuration, expansion of experiments into cells, spec hashes, source digests. No torch."""
