"""Arrow tables as rows, and records as Arrow tables; the modules need the extra `arrow`."""
