"""What this library costs, side by side with what people use instead: `python -m benchmarks --help`."""
