"""Reads the type, size and structure of photo files from their headers, without decoding pixels."""
