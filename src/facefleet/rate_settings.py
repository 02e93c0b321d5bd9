"""Defines how a rate is written in settings and policies."""

RATE = r"^([1-9][0-9]{0,6})/([1-9][0-9]{0,4})s$"
"""Requests, a slash, the s they may be spread over: ``600/60s``."""
