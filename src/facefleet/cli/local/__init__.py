"""Commands that work on this machine, without a service."""
