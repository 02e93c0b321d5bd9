"""Celery on Redis or Valkey."""
