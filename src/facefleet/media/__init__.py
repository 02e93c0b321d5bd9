"""What a file is, read from its header."""
