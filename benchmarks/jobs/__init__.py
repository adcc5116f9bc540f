"""Upserts of large files with the command line."""
