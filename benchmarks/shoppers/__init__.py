"""What the customer level does: parts of ``python -m benchmarks.customers``."""
