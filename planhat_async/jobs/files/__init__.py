"""Files of records: their bytes, and the formats of their rows."""
