"""Wraps every request in ASGI layers, before anything of it is parsed."""
