"""Bulk work on files: what the command line's jobs are made of, usable without it."""
