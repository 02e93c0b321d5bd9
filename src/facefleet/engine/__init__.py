"""Face fusion: arrays and bytes in, arrays and bytes out."""
