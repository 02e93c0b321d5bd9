"""Calls servers whose URL a client gave: checks of URLs and addresses, names, connections."""
