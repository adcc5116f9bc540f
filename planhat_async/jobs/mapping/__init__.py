"""The columns of a foreign file as fields of a model."""
