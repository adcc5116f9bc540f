"""Nights of a job in one process, on virtual time, under one seed that decides everything."""
