"""What is to run: configuration, cells, spec hashes, source digests. Never imports torch."""
