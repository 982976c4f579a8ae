"""Scripts that print a table and write JSON with machine, versions, commit: ``python -m benchmarks.NAME``."""
