"""How work comes in: forms read part by part, photos stored, records committed."""
