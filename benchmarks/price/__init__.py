"""What the benchmark of the price response measures, one kind of figure a file."""
