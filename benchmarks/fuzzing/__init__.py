"""Damaged files, and what independent readers find in them."""
