"""How callers follow their tasks: changes, waiting, the place in the queue."""
