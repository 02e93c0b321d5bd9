"""Stores photos and results as objects: in a folder, in memory, or in an object store."""
