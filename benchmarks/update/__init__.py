"""Parts of ``benchmarks.updates``."""
