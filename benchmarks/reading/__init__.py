"""Reading whole lists with this library and with alternatives: `python -m benchmarks reading`."""
