"""Sends and receives the messages of tasks: Celery on Redis or Valkey."""
