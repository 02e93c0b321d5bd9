"""Telling others what became of a task: addresses that may be told, signatures, attempts, retries."""
