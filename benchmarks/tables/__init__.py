"""The parts of ``benchmarks.any_table``: each piece runs by itself, in a process of its own."""
