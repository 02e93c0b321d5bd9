"""Weights: manifest, sources, cache, interpreters."""
