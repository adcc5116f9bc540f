"""Bulk upserts with this library and with alternatives: `python -m benchmarks writing`."""
