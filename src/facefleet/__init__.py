"""Face fusion as a service: the engine, and the system around it."""
