"""Runs that go on from the state that the run before has left."""
