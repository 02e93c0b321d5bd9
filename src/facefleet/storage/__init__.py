"""Photos and results in an object store."""
