"""Scripts that print a table and write JSON with machine, versions and commit: ``python -m benchmarks.NAME``."""
