"""ASGI layers round every request, before anything is parsed."""
