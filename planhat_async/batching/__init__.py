"""Many requests as one: lists page by page, upserts chunk by chunk."""
