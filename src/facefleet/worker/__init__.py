"""The Celery worker program."""
