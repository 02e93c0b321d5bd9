"""Serves the HTTP API and the page."""
