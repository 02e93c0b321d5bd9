"""Delivers the events of tasks to webhooks: checks of addresses, signatures, attempts, retries."""
