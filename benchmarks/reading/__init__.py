"""Whole lists, read by this library and by what people use instead: `python -m benchmarks reading`."""
