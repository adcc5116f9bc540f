"""One request: what it is, how it is paced, repeated and sent."""
