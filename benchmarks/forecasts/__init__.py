"""Parts of ``python -m benchmarks.forecast``, a piece of work each."""
