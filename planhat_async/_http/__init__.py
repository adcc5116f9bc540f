"""One request: its values, its pace, its retries, its transport."""
