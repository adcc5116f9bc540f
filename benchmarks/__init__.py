"""Benchmarks of this library beside alternatives: `python -m benchmarks --help`."""
