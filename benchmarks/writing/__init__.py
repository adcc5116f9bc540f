"""Bulk upserts, by this library and by what people use instead: `python -m benchmarks writing`."""
