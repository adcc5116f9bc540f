"""The command line: `planhat-async`."""
