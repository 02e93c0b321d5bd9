"""Tells callers what happens to their tasks: changes, waiting, the place in the queue."""
