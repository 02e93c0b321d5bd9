"""Task records: their states, kinds and routes, the tables they are stored in, and who changes them."""
