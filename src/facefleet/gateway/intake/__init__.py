"""Takes work in: forms are read part by part, photos stored, records committed."""
